// SPDX-License-Identifier: GPL-2.0-only
/* The run list and the running of one command of it */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define LINE_ROOM 2048

/* Output of one command on its way into the report, cut into lines */
struct lines {
	struct ktap *ktap;
	int fd;
	size_t used;
	char text[LINE_ROOM];
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* "NAME SECONDS COMMAND...": false for blank lines and comments */
bool parse_command(char *line, struct command *cmd)
{
	char *save, *name, *timeout;

	line[strcspn(line, "\n")] = '\0';
	name = strtok_r(line, " \t", &save);
	if (!name || *name == '#')
		return false;
	timeout = strtok_r(NULL, " \t", &save);
	if (!timeout || !*save)
		return false;

	cmd->name = strdup(name);
	cmd->timeout = strtoul(timeout, NULL, 10);
	cmd->script = strdup(save);
	return cmd->name && cmd->script;
}

struct command *read_run_list(const char *path, size_t *count)
{
	struct command *list = NULL, *larger, cmd;
	char *line = NULL;
	size_t room = 0;
	FILE *file;

	*count = 0;
	file = fopen(path, "re");
	if (!file)
		return NULL;
	while (getline(&line, &room, file) > 0) {
		if (!parse_command(line, &cmd))
			continue;
		larger = realloc(list, (*count + 1) * sizeof(*list));
		if (!larger)
			break;
		list = larger;
		list[(*count)++] = cmd;
	}
	free(line);
	fclose(file);
	return list;
}

/*
 * The shell gives the run list variables, quoting and pipes for free; exec
 * makes a plain command the direct child, so that its exit status is the one
 * seen here.
 */
static pid_t start(const struct command *cmd, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;

	setsid();
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (chdir("/tests"))
		_exit(126);
	execl("/bin/sh", "sh", "-c", cmd->script, NULL);
	_exit(127);
}

static void flush_line(struct lines *lines)
{
	lines->text[lines->used] = '\0';
	lines->used = 0;
	ktap_child_line(lines->ktap, lines->text);
}

/* Takes what the pipe has; false at its end or when it is empty */
static bool take_output(struct lines *lines)
{
	char chunk[4096];
	ssize_t got, i;

	got = read(lines->fd, chunk, sizeof(chunk));
	if (got <= 0)
		return false;
	for (i = 0; i < got; i++) {
		if (chunk[i] == '\n' || lines->used == LINE_ROOM - 1)
			flush_line(lines);
		if (chunk[i] != '\n')
			lines->text[lines->used++] = chunk[i];
	}
	return true;
}

/*
 * Waits for the command and feeds its output on. The end of the pipe means
 * nothing: a process left behind may hold it open. Returns false on timeout.
 */
static bool wait_command(pid_t pid, double deadline, struct lines *lines,
			 int *status)
{
	struct pollfd pfd = { .fd = lines->fd, .events = POLLIN };

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (now() > deadline)
			return false;
		if (poll(&pfd, 1, 50) > 0 && !take_output(lines))
			usleep(50 * 1000);
	}
	return true;
}

/*
 * The kselftest harness puts each case in a process group of its own, so the
 * command's group is not all there is to kill. From process 1, -1 means every
 * process but itself, and only one command runs at a time.
 */
static void kill_leftovers(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void report(struct ktap *ktap, const struct command *cmd, bool in_time,
		   int status, double seconds)
{
	bool skip = in_time && WIFEXITED(status) &&
		    WEXITSTATUS(status) == EXIT_SKIP;
	bool ok = in_time && WIFEXITED(status) && !WEXITSTATUS(status);
	char note[128] = "";

	if (!in_time)
		snprintf(note, sizeof(note), "timed out after %u s, killed",
			 cmd->timeout);
	else if (WIFSIGNALED(status))
		snprintf(note, sizeof(note), "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!ok && !skip)
		snprintf(note, sizeof(note), "exit status %d",
			 WEXITSTATUS(status));
	ktap_note(ktap, note);
	snprintf(note, sizeof(note), "seconds: %.1f", seconds);
	ktap_note(ktap, note);
	ktap_result(ktap, cmd->name, ok || skip,
		    skip ? "the command skipped itself" : NULL);
}

void run_command(struct ktap *ktap, const struct command *cmd)
{
	struct lines lines = { .ktap = ktap };
	double begin = now();
	int status = 0;
	int pipefd[2];
	bool in_time;
	char note[128];
	pid_t pid;

	snprintf(note, sizeof(note), "Subtest: %s", cmd->name);
	ktap_note(ktap, note);
	if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK)) {
		ktap_note(ktap, "no pipe");
		ktap_result(ktap, cmd->name, false, NULL);
		return;
	}
	/* Only this end must not block: the command's stdout is an ordinary one */
	fcntl(pipefd[1], F_SETFL, 0);
	lines.fd = pipefd[0];

	pid = start(cmd, pipefd[1]);
	close(pipefd[1]);
	in_time = pid > 0 &&
		  wait_command(pid, begin + cmd->timeout, &lines, &status);
	kill_leftovers();
	while (take_output(&lines))
		;
	if (lines.used)
		flush_line(&lines);
	close(pipefd[0]);
	report(ktap, cmd, in_time, status, now() - begin);
}
