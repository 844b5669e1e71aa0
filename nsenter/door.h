/* The layout of internal/step/door.go; a test compares the two. */
#ifndef TARE_DOOR_H
#define TARE_DOOR_H
#include <stdint.h>

#define DOOR_SOCKET 3
#define DOOR_INIT_NAME "tare-init"
#define DOOR_MODE "door"
#define DOOR_MAGIC 0x65726174u
#define DOOR_MAX_JOINS 16
#define DOOR_MAX_OFFSETS 128

enum { DOOR_FORK = 1, DOOR_BECOME = 2, DOOR_WAIT_MAPS = 4, DOOR_NON_DUMPABLE = 8 };

enum {
	DOOR_JOIN = 1,
	DOOR_UNSHARE,
	DOOR_MAPS,
	DOOR_USER,
	DOOR_OFFSETS,
	DOOR_CLONE,
	DOOR_CHILD,
	DOOR_READ,
	DOOR_DONE,
};

struct door_request {
	uint32_t magic, flags, uid, gid, njoins, noffsets, zero[2];
	uint64_t unshare, zero2;
	uint64_t joins[DOOR_MAX_JOINS];
	char offsets[DOOR_MAX_OFFSETS];
};

extern uint64_t tare_nofile[2];
extern int tare_is_init;

#endif
