#!/usr/bin/env python3
"""Makes the small pictures of this folder and expected.txt: what Pillow reads them as.

    python3 make_images.py [DIR]

Needs Pillow and NumPy; made with Pillow 13.0. A line of expected.txt is NAME HEIGHT WIDTH and the RGB bytes in
hexadecimal. Pillow cuts 16-bit grey off at 255; there the samples divided by 257 stand instead.
"""
import io
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

HEIGHT, WIDTH = 5, 7  # odd, and no two sides alike
FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(samples, depth):
    """Rows [height, width, channels] as PNG stores them, each after its filter byte."""
    rows = b""
    for row in samples:
        values = row.reshape(-1)
        if depth == 16:
            data = values.astype(">u2").tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in values)
            bits += "0" * (-len(bits) % 8)
            data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
        rows += b"\0" + data
    return rows


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def png(name, kind, depth, samples, before=b"", after=b"", interlaced=False):
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, kind, 0, 0, int(interlaced))
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [samples]
    pixels = b"".join(packed(part, depth) for part in parts if part.size)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
    data += chunk(b"IDAT", zlib.compress(pixels, 9)) + after + chunk(b"IEND", b"")
    (FOLDER / f"{name}.png").write_bytes(data)


def ramp(channels, top):
    """Another gradient in every channel, from 0 to `top`."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [x * HEIGHT + y, (HEIGHT - 1 - y) * WIDTH + x, y * WIDTH + (WIDTH - 1 - x), (x + 2 * y) * 2]
    planes = [plane * top // plane.max() for plane in planes]
    return np.stack(planes[:channels], 2)


def exif(orientation, big_endian=False, kind=3):
    order = ">" if big_endian else "<"
    value = struct.pack(order + ("H2x" if kind == 3 else "I"), orientation)
    entries = [struct.pack(order + "HHI", 0x0100, 4, 1) + struct.pack(order + "I", 7),
               struct.pack(order + "HHI", 0x0112, kind, 1) + value]
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", 0)
    return (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "I", 8) + directory


def pngs():
    for depth in (1, 2, 4, 8, 16):
        png(f"grey{depth}", GREY, depth, ramp(1, 2**depth - 1))
    for depth in (8, 16):
        png(f"rgb{depth}", RGB, depth, ramp(3, 2**depth - 1))
        png(f"grey-alpha{depth}", GREY_ALPHA, depth, ramp(2, 2**depth - 1))
        png(f"rgba{depth}", RGBA, depth, ramp(4, 2**depth - 1))
        grey, rgb = ramp(1, 2**depth - 1), ramp(3, 2**depth - 1)
        png(f"grey{depth}-trns", GREY, depth, grey, chunk(b"tRNS", struct.pack(">H", grey[1, 1, 0])))
        png(f"rgb{depth}-trns", RGB, depth, rgb, chunk(b"tRNS", struct.pack(">3H", *rgb[1, 1])))
    png("grey1-trns", GREY, 1, ramp(1, 1), chunk(b"tRNS", struct.pack(">H", 1)))
    for depth in (1, 2, 4, 8):
        colours = min(2**depth, 35)
        palette = bytes(i * 97 % 256 for i in range(3 * colours))
        png(f"palette{depth}", PALETTE, depth, ramp(1, colours - 1), chunk(b"PLTE", palette))
        half = bytes(i * 255 // colours for i in range(colours // 2))
        png(f"palette{depth}-trns", PALETTE, depth, ramp(1, colours - 1), chunk(b"PLTE", palette) + chunk(b"tRNS", half))
    png("interlaced-grey1", GREY, 1, ramp(1, 1), interlaced=True)
    png("interlaced-grey16", GREY, 16, ramp(1, 65535), interlaced=True)
    png("interlaced-rgb8", RGB, 8, ramp(3, 255), interlaced=True)
    png("interlaced-rgba16", RGBA, 16, ramp(4, 65535), interlaced=True)

    def gamma(value):
        return chunk(b"gAMA", struct.pack(">I", value))
    chromaticities = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    png("gamma1", RGB, 8, ramp(3, 255), gamma(100000) + chromaticities)
    png("gamma1.8", RGB, 16, ramp(3, 65535), gamma(55556))
    png("gamma-palette", PALETTE, 4, ramp(1, 15), gamma(100000) + chunk(b"PLTE", bytes(i * 5 for i in range(48))))
    png("srgb", GREY, 16, ramp(1, 65535), chunk(b"sRGB", b"\0"))
    png("broken-profile", RGB, 8, ramp(3, 255), chunk(b"iCCP", b"profile\0\0nothing"))

    rgb = ramp(3, 255)
    png("exif-before", RGB, 8, rgb, chunk(b"eXIf", exif(6)))
    png("exif-after", RGB, 8, rgb, after=chunk(b"eXIf", exif(7, big_endian=True)))
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b'<rdf:Description tiff:Orientation="8"/>'
    png("xmp", RGB, 8, rgb, chunk(b"iTXt", xmp))
    profile = b"\nexif\n      46\n" + exif(5).hex().encode() + b"\n"
    png("profile", RGB, 8, rgb, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)))


def jpeg(name, samples, mode=None, **options):
    samples = samples.astype(np.uint8)
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples, mode)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90, optimize=True, **options)
    (FOLDER / f"{name}.jpg").write_bytes(data.getvalue())


def jpegs():
    jpeg("grey", ramp(1, 255))
    jpeg("colour", ramp(3, 255))
    jpeg("colour-444", ramp(3, 255), subsampling=0)
    jpeg("progressive", ramp(3, 255), progressive=True)
    jpeg("rgb", ramp(3, 255), keep_rgb=True)
    jpeg("cmyk", ramp(4, 255), "CMYK")
    jpeg("cmyk-progressive", ramp(4, 255), "CMYK", progressive=True)
    # Adobe's marker says what the four planes are: 2 makes YCCK of them, without it they are inks.
    inks = (FOLDER / "cmyk.jpg").read_bytes()
    marker = inks.index(b"\xff\xee\0\x0eAdobe")
    (FOLDER / "ycck.jpg").write_bytes(inks[:marker + 15] + b"\2" + inks[marker + 16:])
    (FOLDER / "cmyk-unmarked.jpg").write_bytes(inks[:marker] + inks[marker + 16:])
    for orientation in range(1, 9):
        block = exif(orientation, big_endian=orientation % 2 == 0, kind=4 if orientation > 6 else 3)
        jpeg(f"orientation{orientation}", ramp(3, 255), subsampling=0, exif=b"Exif\0\0" + block)
    jpeg("orientation9", ramp(3, 255), subsampling=0, exif=b"Exif\0\0" + exif(9))
    jpeg("orientation-cmyk", ramp(4, 255), "CMYK", exif=b"Exif\0\0" + exif(6))
    jpeg("orientation-grey", ramp(1, 255), exif=b"Exif\0\0" + exif(8))
    jpeg("orientation-xmp", ramp(3, 255), subsampling=0, xmp=b"<tiff:Orientation>3</tiff:Orientation>")
    jpeg("orientation-both", ramp(3, 255), subsampling=0, exif=b"Exif\0\0" + exif(1),
         xmp=b"<tiff:Orientation>3</tiff:Orientation>")


def expected(path):
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(int) + 128) // 257
        return np.stack([grey] * 3, 2).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def main():
    for old in [*FOLDER.glob("*.png"), *FOLDER.glob("*.jpg")]:
        old.unlink()
    pngs()
    jpegs()
    with open(FOLDER / "expected.txt", "w") as out:
        for path in sorted([*FOLDER.glob("*.png"), *FOLDER.glob("*.jpg")]):
            pixels = expected(path)
            print(path.name, *pixels.shape[:2], pixels.tobytes().hex(), file=out)


main()
