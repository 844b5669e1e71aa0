#ifndef TARE_CATCH_H
#define TARE_CATCH_H

/* Sends the number of each signal n with want[n] to fd, which must not block. */
void tare_catch(int fd, const unsigned char want[65]);

/* Puts back the handlers that tare_catch found. */
void tare_release(void);

#endif
