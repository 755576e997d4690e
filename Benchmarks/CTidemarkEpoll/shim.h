/* epoll(7), which the Glibc module of Swift leaves out. */
#include <sys/epoll.h>
