/* A PAM module for the tests, which does what modules ought not to. Its
   arguments are done in their order. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <security/pam_modules.h>
#include <security/pam_ext.h>

static void note(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static const char *value(const char *arg, const char *key)
{
	size_t n = strlen(key);
	return strncmp(arg, key, n) == 0 ? arg + n : NULL;
}

static void sleeping_child(const char *path, int detached)
{
	char text[32];
	pid_t pid = fork();
	if (pid == 0) {
		if (detached && (setsid() < 0 || fork() != 0))
			_exit(0);
		snprintf(text, sizeof text, "%d\n", (int)getpid());
		note(path, text);
		sleep(600);
		_exit(0);
	}
}

static int act(pam_handle_t *h, const char *arg)
{
	const char *v;
	char *reply = NULL;
	int rc = PAM_SUCCESS;

	if (strcmp(arg, "crash") == 0)
		*(volatile int *)8 = 0;
	else if (strcmp(arg, "abort") == 0)
		abort();
	else if (strcmp(arg, "exit") == 0)
		_exit(0);
	else if (strcmp(arg, "hang") == 0)
		for (;;)
			pause();
	else if ((v = value(arg, "run="))) {
		if (system(v) != 0)
			rc = PAM_SYSTEM_ERR;
	} else if ((v = value(arg, "ms=")))
		usleep(1000 * atoi(v));
	else if ((v = value(arg, "user=")))
		rc = pam_set_item(h, PAM_USER, v);
	else if (strcmp(arg, "baduser") == 0)
		rc = pam_set_item(h, PAM_USER, "root\nalice");
	else if ((v = value(arg, "child=")))
		sleeping_child(v, 0);
	else if ((v = value(arg, "daemon=")))
		sleeping_child(v, 1);
	else if ((v = value(arg, "begin=")))
		note(v, "+");
	else if ((v = value(arg, "end=")))
		note(v, "-");
	else if ((v = value(arg, "off=")) || (v = value(arg, "on="))) {
		rc = pam_prompt(h, arg[1] == 'f' ? PAM_PROMPT_ECHO_OFF : PAM_PROMPT_ECHO_ON, &reply, "%s for you:\n", v);
		if (rc == PAM_SUCCESS)
			rc = pam_info(h, "\033[31mheard %s\nas %s", reply, v);
	} else if (strcmp(arg, "chatter") == 0)
		for (int i = 0; i < 1000 && rc == PAM_SUCCESS; i++)
			rc = pam_error(h, "%0400d", i);
	else if (strcmp(arg, "endless") == 0)
		while ((rc = pam_prompt(h, PAM_PROMPT_ECHO_ON, &reply, "More: ")) == PAM_SUCCESS)
			;
	else if (strcmp(arg, "print") == 0) {
		printf("{\"version\":1,\"result\":\"success\",\"phase\":\"account\",\"user\":\"root\"}\n");
		fflush(stdout);
		fprintf(stderr, "noise\n");
	} else if (strcmp(arg, "refuse") == 0)
		rc = PAM_AUTH_ERR;
	return rc;
}

static int act_all(pam_handle_t *h, int argc, const char **argv)
{
	int rc = PAM_SUCCESS;
	for (int i = 0; i < argc && rc == PAM_SUCCESS; i++)
		rc = act(h, argv[i]);
	return rc;
}

int pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	return act_all(h, argc, argv);
}

int pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv)
{
	return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *h, int flags, int argc, const char **argv)
{
	return act_all(h, argc, argv);
}
