/* Preloaded under valgrind: its sigsuspend (3.19) writes into the caller's mask, and that of libdispatch is read-only. So pass a copy.
   Build: cc -shared -fPIC -O2 sigsuspend.c -o sigsuspend.so */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
  sigset_t copy = *mask;
  return (int)syscall(SYS_rt_sigsuspend, &copy, 8);
}
