// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steers, from within, the machine that this runs on: scripts/boot connects
 * the third serial port of a watched machine to a QMP monitor.
 *
 *   machine get PROPERTY         print a property of the device "iommu"
 *   machine set PROPERTY VALUE   a JSON value
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PORT "/dev/ttyS2"
#define PATH "/machine/peripheral/iommu"
#define SECONDS 10

static char line[65536];

static int open_port(void)
{
	struct termios tio;
	int fd = open(PORT, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &tio))
		return -1;
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tcsetattr(fd, TCSANOW, &tio);
	return fd;
}

/* One line of what the monitor says; false if it says nothing more */
static bool read_line(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t used = 0;

	while (poll(&pfd, 1, SECONDS * 1000) > 0 &&
	       read(fd, line + used, 1) == 1) {
		if (line[used] == '\n' || used == sizeof(line) - 2) {
			line[used] = '\0';
			return true;
		}
		used++;
	}
	return false;
}

/*
 * Commands carry a number, and so does the answer: it is not to be taken for
 * that of what the terminal echoed before it was raw, for instance.
 */
static bool call(int fd, int id, const char *command)
{
	char text[1024], mark[32];

	snprintf(mark, sizeof(mark), "\"id\": %d", id);
	snprintf(text, sizeof(text), "{%s, \"id\": %d}\n", command, id);
	if (write(fd, text, strlen(text)) < 0)
		return false;
	while (read_line(fd))
		if (strstr(line, mark) && !strstr(line, "\"event\""))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const char start[] = "{\"return\": ";
	bool get = argc == 3 && !strcmp(argv[1], "get");
	bool set = argc == 4 && !strcmp(argv[1], "set");
	char command[768];
	int fd;

	if (!get && !set) {
		fprintf(stderr, "usage: machine get NAME | set NAME VALUE\n");
		return 1;
	}
	snprintf(command, sizeof(command),
		 "\"execute\": \"qom-%s\", \"arguments\": {\"path\": \"" PATH
		 "\", \"property\": \"%s\"%s%s}", argv[1], argv[2],
		 set ? ", \"value\": " : "", set ? argv[3] : "");
	fd = open_port();
	/* An invalid byte ends what the monitor took for a command so far */
	if (fd < 0 || write(fd, "\377\n", 2) != 2 ||
	    !call(fd, 1, "\"execute\": \"qmp_capabilities\"") ||
	    !call(fd, 2, command)) {
		fprintf(stderr, "machine: no monitor at " PORT "\n");
		return 1;
	}
	if (strncmp(line, start, strlen(start))) {
		fprintf(stderr, "machine: %s\n", line);
		return 1;
	}
	*strrchr(line, ',') = '\0';
	if (get)
		puts(line + strlen(start));
	return 0;
}
