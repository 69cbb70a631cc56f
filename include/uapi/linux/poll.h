// poll(2) bits and struct pollfd.
// SPDX-License-Identifier: Apache-2.0
#ifndef _UAPI_LINUX_POLL_H
#define _UAPI_LINUX_POLL_H
#define POLLIN 0x0001
#define POLLPRI 0x0002
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLNVAL 0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLMSG 0x0400
#define POLLRDHUP 0x2000
#define EPOLLIN 0x0001u
#define EPOLLPRI 0x0002u
#define EPOLLOUT 0x0004u
#define EPOLLERR 0x0008u
#define EPOLLHUP 0x0010u
#define EPOLLRDNORM 0x0040u
#define EPOLLRDBAND 0x0080u
#define EPOLLWRNORM 0x0100u
#define EPOLLWRBAND 0x0200u
#define EPOLLRDHUP 0x2000u
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP (1u << 29)
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)
struct pollfd {
	int fd;
	short events, revents;
};
#endif
