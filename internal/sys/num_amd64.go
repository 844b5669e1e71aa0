package sys

// System calls whose numbers are the architecture's own and that package syscall lacks.
const (
	SYS_SETNS         = 308
	SYS_SCHED_SETATTR = 314
	SYS_SECCOMP       = 317
	SYS_EXECVEAT      = 322
	SYS_STATX         = 332
	SYS_FSTATAT       = 262
)
