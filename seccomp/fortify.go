package seccomp

// Compiles fortify.c with the package.

import "C"
