/* The layout of internal/calls/program.go and of the messages in internal/step/wire.go; a test compares them. */
#ifndef TARE_LANE_H
#define TARE_LANE_H
#include <stddef.h>
#include <stdint.h>

#define LANE_MODE "calls"
#define LANE_MAGIC 0x6c6c6163u
#define LANE_SLOTS 512
#define LANE_VALUES 192 /* from here on slots hold no descriptors */
#define LANE_TABLE 256 /* and here are the descriptors that the host sent */

/* Slots whose descriptors the Go lane takes over. */
enum { LANE_ROOT = 1, LANE_NULL, LANE_EMPTY };

enum {
	LANE_CALL = 1,
	LANE_STEP,
	LANE_COMMIT,
	LANE_CLOSE,
	LANE_TEST,
	LANE_SAME,
	LANE_SET,
	LANE_IF_OPEN,
	LANE_JUMP,
	LANE_OR,
	LANE_OCTAL,
	LANE_FD_PATH,
	LANE_BARRIER,
	LANE_WAIT,
	LANE_HOME,
	LANE_SEND,
	LANE_RESET,
	LANE_EXEC,
	LANE_FAIL,
	LANE_LEAVE,
};

enum { LANE_NUMBER, LANE_DATA, LANE_SLOT, LANE_SCRATCH };

#define LANE_ANY_ERRNO 0xffffu

struct lane_op {
	uint8_t code, dst;
	uint16_t kinds; /* two bits an argument */
	uint16_t nr;    /* system call, or a flag */
	uint16_t jump;
	uint16_t errs[3], zero;
	uint32_t arg[6];
};

struct lane_header {
	uint32_t magic, nops, nrelocs, data, scratch, debug;
};

enum { LANE_MSG_FDS = 1, LANE_MSG_PLAN, LANE_MSG_GO, LANE_MSG_ARRIVED, LANE_MSG_FAILURE, LANE_MSG_WARNING, LANE_MSG_LOG };

#define LANE_MAX_MESSAGE (64u << 20)

/* Where the Go lane goes on. */
struct lane_rest {
	int have;    /* the plan was read here */
	int half;    /* the step at index failed after it had changed something: it cannot be repeated */
	int err;     /* errno of that failure */
	int started; /* conn is the start command's */
	uint32_t index;
	int conn, umask;
	int ntable;
	int slot[LANE_SLOTS];
	const uint8_t *plan; /* the payload of the message */
	uint32_t size;
};

extern struct lane_rest tare_rest;

void tare_lane(void);
void tare_fd_path(char *to, unsigned fd);
int tare_home(int fd, char *to, size_t size);

#endif
