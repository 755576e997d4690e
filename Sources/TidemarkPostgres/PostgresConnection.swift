internal import CTidemarkPostgres
internal import Glibc

/// One connection to a PostgreSQL server. Used by one thread at a time; closed when it is released.
///
/// Every wait for the server has an end: without an answer in time the connection counts as lost, and is closed.
public final class PostgresConnection {
  /// A statement and its parameters. The text of a number is always the same: the server keeps it prepared.
  public struct Command {
    public var number: Int
    public var text: String
    public var parameters: Parameters

    public init(number: Int, text: String, parameters: Parameters = Parameters()) {
      self.number = number
      self.text = text
      self.parameters = parameters
    }
  }

  private let handle: OpaquePointer
  private let answerTimeoutMS: Int32
  /// How long the answer that is waited for now may take.
  private var patienceMS: Int32
  private var prepared: Set<Int> = []
  /// Nothing more is sent on this connection.
  public private(set) var isLost = false

  /// Connects.
  ///
  /// - Parameters:
  ///   - url: as libpq takes it (PostgreSQL documentation, 34.1.1.2).
  ///   - password: when it is `nil`, it comes from `PGPASSWORD`, `PGPASSFILE` or `passfile`.
  ///   - connectTimeoutSeconds: at least 2, for each address.
  ///   - answerTimeoutMS: how long one answer of the server may take.
  /// - Throws: `PostgresError` with `isConnectionLost`.
  public init(
    url: String, password: String? = nil, connectTimeoutSeconds: Int = 5, answerTimeoutMS: Int32 = 35_000
  ) throws(PostgresError) {
    self.answerTimeoutMS = answerTimeoutMS
    patienceMS = answerTimeoutMS
    if let failure = tidemark_pq_load() {
      throw PostgresError(state: "", isConnectionLost: true, message: String(cString: failure))
    }
    // What stands before `dbname` is overridden by the URL, what stands behind it is not.
    var settings = [
      ("connect_timeout", "\(connectTimeoutSeconds)"), ("keepalives_idle", "30"), ("keepalives_interval", "10"),
      ("keepalives_count", "3"), ("fallback_application_name", "tidemark"),
      // A standby answers reads with what was true a while ago.
      ("target_session_attrs", "read-write"), ("dbname", url), ("client_encoding", "UTF8"),
    ]
    if let password { settings.append(("password", password)) }
    let keys = settings.map { strdup($0.0) }
    let values = settings.map { strdup($0.1) }
    defer { for text in keys + values { free(text) } }
    let opened = tidemark_pq_connect(keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
    guard let opened else { throw PostgresError(state: "", isConnectionLost: true, message: "out of memory") }
    guard tidemark_pq_status(opened) == CONNECTION_OK, tidemark_pq_set_nonblocking(opened, 1) == 0 else {
      let message = String(cString: tidemark_pq_error_message(opened))
      tidemark_pq_finish(opened)
      throw PostgresError(state: "", isConnectionLost: true, message: message)
    }
    handle = opened
  }

  deinit { tidemark_pq_finish(handle) }

  /// Whether the server is in a transaction, also in one that failed.
  public var isInTransaction: Bool {
    let status = tidemark_pq_transaction_status(handle)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
  }

  /// Where the server is: its address, or the folder of its socket.
  public var host: String {
    let address = String(cString: tidemark_pq_host_address(handle))
    return address.isEmpty ? String(cString: tidemark_pq_host(handle)) : address
  }

  /// Whether what is sent is encrypted.
  public var isEncrypted: Bool { tidemark_pq_is_encrypted(handle) != 0 }

  /// Lets nothing more be sent.
  public func giveUp() { isLost = true }

  // MARK: Statements

  /// Runs statements without parameters, separated by semicolons; together they are one transaction. Their rows are dropped.
  ///
  /// - Parameter timeoutMS: how long each answer may take, when it is not the time of the connection.
  public func execute(_ text: String, timeoutMS: Int32? = nil) throws(PostgresError) {
    patienceMS = timeoutMS ?? answerTimeoutMS
    defer { patienceMS = answerTimeoutMS }
    guard !isLost else { throw lost("the connection was lost before") }
    guard tidemark_pq_send_query(handle, text) == 1 else { throw lost(nil) }
    try send()
    var failure: PostgresError?
    while let result = try nextResult() {
      let rows = Rows(result)
      do throws(PostgresError) { try check(result) } catch { failure = failure ?? error }
      withExtendedLifetime(rows) {}
    }
    if let failure { throw failure }
  }

  /// Sends commands together and waits once for all answers. After the first that fails none is run.
  ///
  /// - Parameter firstAnswerTimeoutMS: how long the answer to the first may take, which the server then sends without waiting for the others.
  /// - Returns: the answer to each.
  public func run(_ commands: [Command], firstAnswerTimeoutMS: Int32? = nil) throws(PostgresError) -> [Rows] {
    patienceMS = firstAnswerTimeoutMS ?? answerTimeoutMS
    defer { patienceMS = answerTimeoutMS }
    guard !isLost else { throw lost("the connection was lost before") }
    guard tidemark_pq_enter_pipeline(handle) == 1 else { throw lost(nil) }
    var isPreparing: [Bool] = []
    var preparing: Set<Int> = []
    for command in commands {
      let isNew = !prepared.contains(command.number) && preparing.insert(command.number).inserted
      isPreparing.append(isNew)
      let name = "s\(command.number)"
      if isNew, tidemark_pq_send_prepare(handle, name, command.text) != 1 { throw lost(nil) }
      let isSent = command.parameters.withUnsafeValues { tidemark_pq_send_prepared(handle, name, $0, $1, $2, $3) }
      if isSent != 1 { throw lost(nil) }
      let isAsked = firstAnswerTimeoutMS == nil || isPreparing.count > 1 || tidemark_pq_send_flush_request(handle) == 1
      if !isAsked { throw lost(nil) }
    }
    guard tidemark_pq_pipeline_sync(handle) == 1 else { throw lost(nil) }
    try send()
    var answers: [Rows] = []
    var failure: PostgresError?
    for (command, isNew) in zip(commands, isPreparing) {
      if isNew {
        do throws(PostgresError) {
          _ = try answer()
          prepared.insert(command.number)
        } catch { failure = failure ?? error }
        if isLost { break }
      }
      do throws(PostgresError) { answers.append(try answer()) } catch { failure = failure ?? error }
      patienceMS = answerTimeoutMS
      if isLost { break }
    }
    if !isLost {
      do throws(PostgresError) { try endPipeline() } catch { failure = failure ?? error }
    }
    guard let failure else { return answers }
    // The server may have said why before it closed the connection.
    throw PostgresError(state: failure.state, isConnectionLost: isLost, message: failure.message)
  }

  /// The answer to one command of a pipeline, which is one result and the end of its results.
  private func answer() throws(PostgresError) -> Rows {
    guard let result = try nextResult() else { throw lost("the server answered nothing") }
    let rows = Rows(result)
    if tidemark_pq_status(handle) == CONNECTION_OK, let further = try nextResult() {
      tidemark_pq_clear(further)
      isLost = true
    }
    try check(result)
    guard !isLost else { throw lost(nil) }
    return rows
  }

  private func endPipeline() throws(PostgresError) {
    guard let end = try nextResult() else { throw lost("the server answered nothing") }
    let status = tidemark_pq_result_status(end)
    tidemark_pq_clear(end)
    guard status == PGRES_PIPELINE_SYNC, tidemark_pq_exit_pipeline(handle) == 1 else { throw lost(nil) }
  }

  private func check(_ result: OpaquePointer) throws(PostgresError) {
    switch tidemark_pq_result_status(result) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return
    default:
      let state = tidemark_pq_result_state(result).map { String(cString: $0) } ?? ""
      if tidemark_pq_status(handle) != CONNECTION_OK { isLost = true }
      throw PostgresError(
        state: state, isConnectionLost: isLost, message: String(cString: tidemark_pq_result_error_message(result)))
    }
  }

  // MARK: Waiting

  /// Sends everything that was queued, and takes what the server says meanwhile, so that neither side waits for the other for ever.
  private func send() throws(PostgresError) {
    while true {
      switch tidemark_pq_flush(handle) {
      case 0: return
      case 1:
        let events = try wait(for: Int16(POLLIN | POLLOUT))
        if events & Int16(POLLIN) != 0, tidemark_pq_consume_input(handle) != 1 { throw lost(nil) }
      default: throw lost(nil)
      }
    }
  }

  private func nextResult() throws(PostgresError) -> OpaquePointer? {
    while tidemark_pq_is_busy(handle) == 1 {
      _ = try wait(for: Int16(POLLIN))
      // What came before the end of the connection is read first: the server may have said why.
      if tidemark_pq_consume_input(handle) != 1, tidemark_pq_is_busy(handle) == 1 { throw lost(nil) }
    }
    return tidemark_pq_get_result(handle)
  }

  private func wait(for events: Int16) throws(PostgresError) -> Int16 {
    var descriptor = pollfd(fd: tidemark_pq_socket(handle), events: events, revents: 0)
    guard descriptor.fd >= 0 else { throw lost(nil) }
    while true {
      let count = poll(&descriptor, 1, patienceMS)
      if count > 0 { return descriptor.revents }
      if count < 0, errno == EINTR { continue }
      throw lost("the server did not answer within \(patienceMS) ms")
    }
  }

  /// Gives the connection up.
  private func lost(_ message: String?) -> PostgresError {
    isLost = true
    return PostgresError(
      state: "", isConnectionLost: true, message: message ?? String(cString: tidemark_pq_error_message(handle)))
  }
}
