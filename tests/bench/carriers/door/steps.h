#ifndef STEPS_H
#define STEPS_H
#include <stddef.h>
#include <sys/types.h>

/* how the steps are carried out */
enum { CARRY_GO = 1, CARRY_CTOR = 2, CARRY_VFORK = 3, CARRY_FORK = 4 };

struct spawn_req {
	int carrier;
	int sock;             /* the child's end of the socket */
	const void *plan;     /* for the carriers without a second image */
	size_t len;
	int ncg, cgfd[8];     /* cgroup.procs files the child joins before anything else */
	volatile pid_t tid;   /* filled in by the kernel before the child runs */
	void *stack;          /* STACK_SIZE bytes */
};
#define STACK_SIZE 65536

extern int carry_mode; /* 0, or CARRY_GO in a re-exec'd image whose Go side must run the plan */
void run_steps(const unsigned char *plan, size_t len, int sock) __attribute__((noreturn));
int spawn_child(struct spawn_req *r);
#endif
