#ifndef TIDEMARK_POSTGRES_H
#define TIDEMARK_POSTGRES_H

/* Types and constants of libpq. Its functions are not linked, see tidemark_pq_load. */
#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#elif __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#error "libpq-fe.h is missing (Debian: libpq-dev); scripts/setup run installs it"
#endif

/*
 * Loads libpq when it is first asked for: with the libraries it brings along it takes 6 MiB of memory, which a program on another engine
 * does not pay. Returns a null pointer, or why it cannot be loaded. Call it from any thread, and before everything below.
 */
const char *tidemark_pq_load(void);

/* The functions of libpq of the same names (PostgreSQL documentation, chapter 34). */
PGconn *tidemark_pq_connect(const char *const *keywords, const char *const *values, int expands_dbname);
void tidemark_pq_finish(PGconn *c);
int tidemark_pq_socket(const PGconn *c);
ConnStatusType tidemark_pq_status(const PGconn *c);
PGTransactionStatusType tidemark_pq_transaction_status(const PGconn *c);
char *tidemark_pq_error_message(const PGconn *c);
int tidemark_pq_set_nonblocking(PGconn *c, int is_nonblocking);
int tidemark_pq_send_query(PGconn *c, const char *text);
int tidemark_pq_send_prepare(PGconn *c, const char *name, const char *text);
/* All parameters and results are binary. */
int tidemark_pq_send_prepared(PGconn *c, const char *name, int count, const char *const *values, const int *lengths,
                              const int *formats);
int tidemark_pq_enter_pipeline(PGconn *c);
int tidemark_pq_exit_pipeline(PGconn *c);
int tidemark_pq_pipeline_sync(PGconn *c);
int tidemark_pq_flush(PGconn *c);
int tidemark_pq_consume_input(PGconn *c);
int tidemark_pq_is_busy(PGconn *c);
PGresult *tidemark_pq_get_result(PGconn *c);
void tidemark_pq_clear(PGresult *r);
ExecStatusType tidemark_pq_result_status(const PGresult *r);
char *tidemark_pq_result_error_message(const PGresult *r);
/* The SQLSTATE; a null pointer when the server said none. */
char *tidemark_pq_result_state(const PGresult *r);
int tidemark_pq_row_count(const PGresult *r);
int tidemark_pq_column_count(const PGresult *r);
int tidemark_pq_is_null(const PGresult *r, int row, int column);
char *tidemark_pq_value(const PGresult *r, int row, int column);
int tidemark_pq_length(const PGresult *r, int row, int column);
char *tidemark_pq_command_tuples(PGresult *r);
char *tidemark_pq_command_status(PGresult *r);
int tidemark_pq_send_flush_request(PGconn *c);
char *tidemark_pq_host(const PGconn *c);
char *tidemark_pq_host_address(const PGconn *c);
/* Whether what is sent is encrypted, by TLS or by GSSAPI. */
int tidemark_pq_is_encrypted(PGconn *c);

#endif
