package sys

// System calls whose numbers are the architecture's own and that package syscall lacks.
const (
	SYS_SETNS         = 268
	SYS_SCHED_SETATTR = 274
	SYS_SECCOMP       = 277
	SYS_EXECVEAT      = 281
	SYS_STATX         = 291
	SYS_FSTATAT       = 79
)
