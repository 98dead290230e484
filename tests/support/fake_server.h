/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server for tests: threads of the test's own process on a loopback port, answering
 * from a script or a function, remembering what it was asked. It can also do what servers should
 * not: hang up, reset, cut answers short, talk nonsense.
 */
#ifndef KVP_TESTS_SUPPORT_FAKE_SERVER_H
#define KVP_TESTS_SUPPORT_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fake_how {
    FAKE_ANSWER,
    FAKE_ANSWER_CLOSE, /**< answer, keep-alive promised, then close */
    FAKE_CLOSE,        /**< read the request, close */
    FAKE_RESET,        /**< read the request, reset the connection */
    FAKE_TRUNCATE,     /**< promise twice the body, send it once, close */
    FAKE_RAW,          /**< send the body as the whole answer, close */
    FAKE_HANG          /**< no answer until the server is stopped */
} fake_how;

typedef struct fake_reply {
    int status;          /**< 0: 200 */
    const char *headers; /**< further lines, each ended by CRLF, or NULL */
    const char *body;    /**< or NULL */
    size_t body_len;     /**< 0: strlen(body) */
    unsigned delay_ms;   /**< before anything is sent */
    fake_how how;
    char text[2048]; /**< room for a body or headers that a handler makes */
} fake_reply;

typedef struct fake_request {
    char method[16];
    char target[2048]; /**< path and query */
    char *headers;     /**< the raw lines, CRLF between them */
    char *body;        /**< NUL behind it */
    size_t body_len;
    unsigned connection; /**< from 1 on */
} fake_request;

/** Copy the value of header @name to @dst; false if there is none. */
bool fake_request_header(const fake_request *request, const char *name, char *dst, size_t size);

typedef struct fake_options {
    const fake_reply *script; /**< consumed in order; the last one again and again */
    size_t script_len;
    /** Instead of a script; called from server threads, one at a time. */
    void (*handle)(void *user, const fake_request *request, fake_reply *reply);
    void *user;
    const char *tls_name; /**< not NULL: TLS, with a certificate of a fresh authority for this DNS
                             name and 127.0.0.1 */
    bool tls_wrong_host;  /**< the certificate is for another name only */
    bool tls_expired;
    bool abort_uploads; /**< close, then reset when a request has a body, in the middle of it */
} fake_options;

typedef struct fake_server fake_server;
fake_server *fake_server_start(const fake_options *options);
void fake_server_stop(fake_server *server);

/** `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`. */
const char *fake_server_url(const fake_server *server);
unsigned fake_server_port(const fake_server *server);
/** PEM file of the authority; gone after stop. NULL without TLS. */
const char *fake_server_ca_file(const fake_server *server);

/** Requests read so far, and one of them (borrowed until stop). */
unsigned fake_server_count(fake_server *server);
const fake_request *fake_server_request(fake_server *server, unsigned index);
/** Connections accepted so far; those open now. */
unsigned fake_server_connections(fake_server *server);
unsigned fake_server_open(fake_server *server);
/** Close every connection there is, as a server does with idle ones. */
void fake_server_hang_up(fake_server *server);

/** A loopback port that nobody listens on. */
unsigned fake_dead_port(void);

#endif
