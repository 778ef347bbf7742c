// Gives the precompiled torch header a target to belong to; holds nothing itself.
