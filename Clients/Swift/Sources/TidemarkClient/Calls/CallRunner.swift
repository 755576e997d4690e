import NIOCore
import TidemarkCore
import TidemarkWire

/// Makes typed calls over a transport: encodes, tries again where that is safe, decodes.
struct CallRunner: Sendable {
  let transport: any CallTransport
  let credentials: Credentials
  let options: ClientOptions

  private var timing: ClientTiming { options.timing }

  /// Makes a call with one response.
  func unary<Response: DecodableMessage>(
    _ method: Method, _ request: some EncodableMessage, as response: Response.Type, safety: RetrySafety = .idempotent,
    isWrite: Bool = false, deadline: Duration?
  ) async throws(ClientError) -> Response {
    let policy = RetryPolicy(safety: safety, isWrite: isWrite, attemptsMax: options.attemptsMax)
    switch try await attempt(method, try encode(request), policy, deadline: deadline) {
    case .success(let bytes): return try CallRunner.decode(bytes, as: response)
    case .failure: throw ClientError(.protocolError, "The server answered a read with an outcome.")
    }
  }

  /// Sends a write. What became of it is the result, whether it was applied or refused.
  ///
  /// - Parameter attemptsBefore: how often the caller tried before with other writes for the same purpose; the server counts on from there.
  func write(
    _ request: WriteRequest, attemptsBefore: Int = 0, deadline: Duration?
  ) async throws(ClientError) -> Outcome {
    let policy = RetryPolicy(
      safety: .idempotent, isWrite: true, attemptsMax: options.attemptsMax, operation: request.item.operation)
    let message = try encode(request)
    switch try await attempt(request.kind.method, message, policy, attemptsBefore: attemptsBefore, deadline: deadline) {
    case .success(let bytes): return try CallRunner.decode(bytes, as: WriteResponse.self).outcome
    case .failure(let refused): return refused.outcome
    }
  }

  /// The outcome that a status carries.
  struct Refused: Error { var outcome: Outcome }

  private func attempt(
    _ method: Method, _ message: ByteBuffer, _ policy: RetryPolicy, attemptsBefore: Int = 0, deadline: Duration?
  ) async throws(ClientError) -> Result<ByteBuffer, Refused> {
    var policy = policy
    let end = deadline.map { timing.uptime() + $0 }
    var attempt = 1
    while true {
      let call = OutgoingCall(
        method: method, message: message, authorization: credentials.authorization,
        attempt: UInt32(clamping: attemptsBefore + attempt), deadline: end)
      do {
        return .success(try await transport.unary(call))
      } catch {
        if case .status(let status) = error, let outcome = try CallRunner.outcome(of: status) {
          return .failure(Refused(outcome: outcome))
        }
        try await pause(after: error, attempt: attempt, &policy, end: end)
        attempt += 1
      }
    }
  }

  /// What the server said in the handshake, connecting first when there is no connection.
  func hello(deadline: Duration?) async throws(ClientError) -> Hello {
    var policy = RetryPolicy(safety: .idempotent, isWrite: false, attemptsMax: options.attemptsMax)
    let end = deadline.map { timing.uptime() + $0 }
    var attempt = 1
    while true {
      do {
        return try await transport.hello(deadline: end)
      } catch {
        try await pause(after: error, attempt: attempt, &policy, end: end)
        attempt += 1
      }
    }
  }

  /// Waits until the next attempt, or throws when there should be none. Another server is tried at once.
  func pause(after failure: AttemptFailure, attempt: Int, _ policy: inout RetryPolicy, end: Duration?) async throws(ClientError) {
    switch policy.decide(failure, attempt: attempt) {
    case .giveUp(let error): throw error
    case .again(let error, let atLeast):
      var delay = options.backoff.delay(afterFailures: attempt, random: timing.random())
      if let atLeast { delay += atLeast }
      if failure.tellsOfTheConnection, transport.mayTryElsewhere { delay = .zero }
      if let end, timing.uptime() + delay >= end { throw policy.verdict(error) }
      guard delay > .zero else { return }
      do {
        try await timing.sleep(delay)
      } catch {
        throw policy.verdict(.cancelled)
      }
    }
  }

  func encode(_ request: some EncodableMessage) throws(ClientError) -> ByteBuffer {
    do {
      return try request.withPacked(using: MessageArena()) { packed in
        var buffer = ByteBuffer()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packed.size) { packed.pack(into: $0) }
        return buffer
      }
    } catch {
      throw ClientError(.invalidArgument, error.message, violations: error.violations)
    }
  }

  static func decode<Response: DecodableMessage>(
    _ bytes: ByteBuffer, as type: Response.Type
  ) throws(ClientError) -> Response {
    let result = bytes.withUnsafeReadableBytes { raw in
      Result { () throws(WireError) in try Response.decode(raw, using: MessageArena(bytesMax: WireLimits.answerDecodedBytesMax)) }
    }
    switch result {
    case .success(let response): return response
    case .failure(let error): throw ClientError(.protocolError, "The server's answer cannot be read: \(error.message)")
    }
  }

  private static func outcome(of status: RPCStatus) throws(ClientError) -> Outcome? {
    do {
      return try status.outcome(using: MessageArena())
    } catch {
      throw ClientError(.protocolError, "The server's outcome cannot be read: \(error.message)")
    }
  }
}
