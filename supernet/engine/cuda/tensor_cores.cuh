/// Products of small matrices of bfloat16 by tensor cores, and copies into shared memory that run
/// beside what a thread does. Both need a compute capability of 8.0: on older ones nothing happens.
///
/// Fragments are those of mma.m16n8k16 in the PTX ISA, "Warp-level matrix instructions": with
/// g = lane / 4 and t = lane % 4, `sum` has the entries [g, 2t], [g, 2t + 1], [g + 8, 2t] and
/// [g + 8, 2t + 1].
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace mosaic::supernet::cuda {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define MOSAIC_PTX_80(...) asm volatile(__VA_ARGS__)
#else
#define MOSAIC_PTX_80(...) static_cast<void>(0)
#endif

/// Where entries are in shared memory. Calculated with as it is: offsets that are known when a
/// kernel is compiled then cost no registers.
__device__ inline unsigned shared_address(const void* at) {
  return static_cast<unsigned>(__cvta_generic_to_shared(at));
}

/// Four matrices of 8 x 8: lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void load_matrices(unsigned row, unsigned (&to)[4]) {
  MOSAIC_PTX_80("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                : "r"(row)
                : "memory");
}

/// The same, each of them transposed.
__device__ inline void load_transposed(unsigned row, unsigned (&to)[4]) {
  MOSAIC_PTX_80("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                : "r"(row)
                : "memory");
}

/// sum [16, 8] += a [16, 16] b [16, 8].
__device__ inline void multiply(const unsigned (&a)[4], unsigned b0, unsigned b1, float (&sum)[4]) {
  MOSAIC_PTX_80(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Begins to copy 16 bytes; zeros if not `there`.
__device__ inline void copy_line(const void* from, void* to, bool there) {
  MOSAIC_PTX_80("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
                : "memory");
}

/// Ends a group of copies.
__device__ inline void end_copies() { MOSAIC_PTX_80("cp.async.commit_group;" ::: "memory"); }

/// Waits for this thread's copies but those of the last kLeft groups.
template <int kLeft>
__device__ void wait_for_copies() {
  MOSAIC_PTX_80("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}

#undef MOSAIC_PTX_80

}  // namespace mosaic::supernet::cuda
