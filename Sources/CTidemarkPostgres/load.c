#include "CTidemarkPostgres.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

/* Every function that is used, by its name in libpq. */
#define FUNCTIONS(X)                                                                                                     \
  X(PQconnectdbParams) X(PQfinish) X(PQsocket) X(PQstatus) X(PQtransactionStatus) X(PQerrorMessage) X(PQsetnonblocking)   \
  X(PQsetNoticeReceiver) X(PQsendQuery) X(PQsendPrepare) X(PQsendQueryPrepared) X(PQenterPipelineMode)                    \
  X(PQexitPipelineMode) X(PQpipelineSync) X(PQflush) X(PQconsumeInput) X(PQisBusy) X(PQgetResult) X(PQclear)              \
  X(PQresultStatus) X(PQresultErrorMessage) X(PQresultErrorField) X(PQntuples) X(PQnfields) X(PQgetisnull) X(PQgetvalue)  \
  X(PQgetlength) X(PQcmdTuples) X(PQcmdStatus) X(PQsendFlushRequest) X(PQhost) X(PQhostaddr) X(PQsslInUse) X(PQgssEncInUse)

#define MEMBER(name) __typeof__(&name) name;
static struct { FUNCTIONS(MEMBER) } pq;

static const char *failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    failure = why ? why : "libpq.so.5 cannot be loaded";
    return;
  }
#define FIND(name)                                              \
  *(void **)&pq.name = dlsym(library, #name);                   \
  if (!pq.name) failure = "libpq.so.5 is too old: " #name " is missing";
  FUNCTIONS(FIND)
}

const char *tidemark_pq_load(void) {
  pthread_once(&once, load);
  return failure;
}

/* What the server has to say besides results is not for standard error. */
static void ignore_notice(void *arg, const PGresult *r) { (void)arg, (void)r; }

PGconn *tidemark_pq_connect(const char *const *keywords, const char *const *values, int expands_dbname) {
  PGconn *c = pq.PQconnectdbParams(keywords, values, expands_dbname);
  if (c) pq.PQsetNoticeReceiver(c, ignore_notice, NULL);
  return c;
}

void tidemark_pq_finish(PGconn *c) { pq.PQfinish(c); }
int tidemark_pq_socket(const PGconn *c) { return pq.PQsocket(c); }
ConnStatusType tidemark_pq_status(const PGconn *c) { return pq.PQstatus(c); }
PGTransactionStatusType tidemark_pq_transaction_status(const PGconn *c) { return pq.PQtransactionStatus(c); }
char *tidemark_pq_error_message(const PGconn *c) { return pq.PQerrorMessage(c); }
int tidemark_pq_set_nonblocking(PGconn *c, int is_nonblocking) { return pq.PQsetnonblocking(c, is_nonblocking); }
int tidemark_pq_send_query(PGconn *c, const char *text) { return pq.PQsendQuery(c, text); }
int tidemark_pq_send_prepare(PGconn *c, const char *name, const char *text) {
  return pq.PQsendPrepare(c, name, text, 0, NULL);
}
int tidemark_pq_send_prepared(PGconn *c, const char *name, int count, const char *const *values, const int *lengths,
                              const int *formats) {
  return pq.PQsendQueryPrepared(c, name, count, values, lengths, formats, 1);
}
int tidemark_pq_enter_pipeline(PGconn *c) { return pq.PQenterPipelineMode(c); }
int tidemark_pq_exit_pipeline(PGconn *c) { return pq.PQexitPipelineMode(c); }
int tidemark_pq_pipeline_sync(PGconn *c) { return pq.PQpipelineSync(c); }
int tidemark_pq_flush(PGconn *c) { return pq.PQflush(c); }
int tidemark_pq_consume_input(PGconn *c) { return pq.PQconsumeInput(c); }
int tidemark_pq_is_busy(PGconn *c) { return pq.PQisBusy(c); }
PGresult *tidemark_pq_get_result(PGconn *c) { return pq.PQgetResult(c); }
void tidemark_pq_clear(PGresult *r) { pq.PQclear(r); }
ExecStatusType tidemark_pq_result_status(const PGresult *r) { return pq.PQresultStatus(r); }
char *tidemark_pq_result_error_message(const PGresult *r) { return pq.PQresultErrorMessage(r); }
char *tidemark_pq_result_state(const PGresult *r) { return pq.PQresultErrorField(r, PG_DIAG_SQLSTATE); }
int tidemark_pq_row_count(const PGresult *r) { return pq.PQntuples(r); }
int tidemark_pq_column_count(const PGresult *r) { return pq.PQnfields(r); }
int tidemark_pq_is_null(const PGresult *r, int row, int column) { return pq.PQgetisnull(r, row, column); }
char *tidemark_pq_value(const PGresult *r, int row, int column) { return pq.PQgetvalue(r, row, column); }
int tidemark_pq_length(const PGresult *r, int row, int column) { return pq.PQgetlength(r, row, column); }
char *tidemark_pq_command_tuples(PGresult *r) { return pq.PQcmdTuples(r); }
char *tidemark_pq_command_status(PGresult *r) { return pq.PQcmdStatus(r); }
int tidemark_pq_send_flush_request(PGconn *c) { return pq.PQsendFlushRequest(c); }
char *tidemark_pq_host(const PGconn *c) { return pq.PQhost(c); }
char *tidemark_pq_host_address(const PGconn *c) { return pq.PQhostaddr(c); }
int tidemark_pq_is_encrypted(PGconn *c) { return pq.PQsslInUse(c) || pq.PQgssEncInUse(c); }
