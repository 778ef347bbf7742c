// Gives the precompiled Catch2 header a target to belong to; holds nothing itself.
