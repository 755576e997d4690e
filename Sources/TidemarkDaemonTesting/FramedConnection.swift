public import TidemarkCore
public import TidemarkTesting
public import TidemarkWire

/// A client that blocks: sends calls, reads frames, and leaves every decision to the test.
public final class FramedConnection {
  /// Why nothing more comes.
  public enum Failure: Error {
    case closed
    case silent
    case unexpected(Frame)
  }

  /// The answer to a call.
  public struct Reply {
    public var code: StatusCode
    public var message: [UInt8]
    /// The messages of the stream before the answer.
    public var data: [[UInt8]] = []
    /// `nil` for OK.
    public var status: RPCStatus? { code == .ok ? nil : try? message.withUnsafeBytes { try RPCStatus.decode($0) } }
  }

  public let raw: RawConnection
  public let arena = MessageArena()
  /// Goes with every call; empty for none.
  public var authorization = ""
  public private(set) var streamNext: UInt32 = 1
  /// The GOAWAY frames that came, in order.
  public private(set) var goAways: [GoAway] = []
  /// The streams that the server cancelled, with the codes.
  public private(set) var cancelled: [UInt32: UInt16] = [:]
  private var input: ArraySlice<UInt8> = []
  private var partial: [UInt32: Reply] = [:]
  private var finished: [UInt32: Reply] = [:]
  private var unfinishedData: [UInt32: [UInt8]] = [:]

  /// Connects, and returns when the server has said HELLO.
  public init(port: Int, token: String? = nil, hello: Hello = Hello()) throws {
    raw = try RawConnection(port: port)
    authorization = token.map { "Bearer \($0)" } ?? ""
    raw.send(Array(opening.prefix(8)) + Frame(.hello, hello.encode()).bytes())
    let first = try nextFrame()
    guard first.type == FrameType.hello.rawValue else { throw Failure.unexpected(first) }
  }

  // MARK: Sending

  /// Sends a call and returns its stream.
  @discardableResult
  public func start(_ method: TidemarkWire.Method, _ message: some EncodableMessage, timeoutMicroseconds: UInt64 = 0) throws
    -> UInt32
  {
    let stream = streamNext
    streamNext += 2
    var meta = CallMeta()
    meta.authorization = authorization
    meta.timeoutMicroseconds = timeoutMicroseconds
    let payload = try message.encode(using: arena)
    let block = meta.encode()
    let first = payload.prefix(WireLimits.frameBytesDefault - block.count - 2)
    let isWhole = first.count == payload.count
    var bytes = Frame.call(method.rawValue, stream: stream, meta: block, flags: isWhole ? .end : .more, Array(first)).bytes()
    if !isWhole { bytes += Frame.fragments(0, stream: stream, Array(payload.dropFirst(first.count))).bytes }
    guard raw.send(bytes) else { throw Failure.closed }
    return stream
  }

  @discardableResult
  public func send(_ frames: Frame...) -> Bool { raw.send(frames.bytes) }

  // MARK: Receiving

  /// The next frame. Answers pings of the server by itself.
  public func nextFrame() throws -> Frame {
    while true {
      if let frame = Frame(takingFrom: &input) {
        if frame.type == FrameType.ping.rawValue, frame.flags.isEmpty {
          raw.send(Frame(.ping, flags: .pong, frame.payload).bytes())
        }
        return frame
      }
      guard let chunk = raw.receive() else { throw Failure.silent }
      guard !chunk.isEmpty else { throw Failure.closed }
      input = ArraySlice(Array(input) + chunk)
    }
  }

  /// The answer to a call. Answers to others are kept; credit goes back as data comes.
  public func reply(to stream: UInt32) throws -> Reply {
    while true {
      if let reply = finished.removeValue(forKey: stream) { return reply }
      if let code = cancelled[stream] { throw Failure.unexpected(Frame(.cancel, aux: code, stream: stream)) }
      take(try nextFrame())
    }
  }

  /// Reads whatever comes until the server closes, and returns the answers that nobody took.
  public func repliesUntilClosed() -> [UInt32: Reply] {
    do { while true { take(try nextFrame()) } } catch { return finished }
  }

  private func take(_ frame: Frame) {
    switch FrameType(rawValue: frame.type) {
    case .reply:
      var reply = partial.removeValue(forKey: frame.stream) ?? Reply(code: .ok, message: [])
      if frame.aux != 0 { reply.code = StatusCode(rawValue: frame.aux) ?? .unknown }
      reply.message += frame.payload
      if frame.flags.contains(.more) { partial[frame.stream] = reply } else { finished[frame.stream] = reply }
    case .data:
      let message = unfinishedData.removeValue(forKey: frame.stream, default: []) + frame.payload
      if frame.flags.contains(.more) {
        unfinishedData[frame.stream] = message
      } else {
        partial[frame.stream, default: Reply(code: .ok, message: [])].data.append(message)
      }
      guard !frame.payload.isEmpty else { return }
      let bytes = UInt32(frame.payload.count)
      send(.credit(bytes, stream: frame.stream), .credit(bytes))
    case .cancel: cancelled[frame.stream] = frame.aux
    case .goAway: if let goAway = try? frame.payload.withUnsafeBytes({ try GoAway.decode($0) }) { goAways.append(goAway) }
    default: break
    }
  }
}

extension [UInt32: [UInt8]] {
  fileprivate mutating func removeValue(forKey key: UInt32, default value: [UInt8]) -> [UInt8] {
    removeValue(forKey: key) ?? value
  }
}

// MARK: Whole calls

extension FramedConnection {
  /// Makes a call and waits for the answer, whatever it is.
  public func call(_ method: TidemarkWire.Method, _ message: some EncodableMessage, timeoutMicroseconds: UInt64 = 0) throws
    -> Reply
  {
    try reply(to: start(method, message, timeoutMicroseconds: timeoutMicroseconds))
  }

  /// Makes a call that must succeed.
  public func get<Response: DecodableMessage>(_ method: TidemarkWire.Method, _ message: some EncodableMessage) throws -> Response
  {
    try decode(call(method, message))
  }

  /// The message of an answer; throws its status when it is a failure.
  public func decode<Response: DecodableMessage>(_ reply: Reply) throws -> Response {
    if let status = reply.status { throw status }
    return try reply.message.withUnsafeBytes { try Response.decode($0, using: arena) }
  }

  /// Sends a write and returns its stream.
  public func start(_ item: WriteItem, in space: SpaceName, returnEntity: Bool = false) throws -> UInt32 {
    let request = WriteRequest(space: space, item: item, returnEntity: returnEntity)
    return try start(request.kind.method, request)
  }

  /// Makes a write and returns its outcome, applied or not.
  public func write(_ item: WriteItem, in space: SpaceName, returnEntity: Bool = false) throws -> Outcome {
    try outcome(of: reply(to: start(item, in: space, returnEntity: returnEntity)))
  }

  /// The outcome in the answer to a write; throws the status of a failure without one.
  public func outcome(of reply: Reply) throws -> Outcome {
    if let status = reply.status {
      guard let outcome = try status.outcome(using: arena) else { throw status }
      return outcome
    }
    let response: WriteResponse = try decode(reply)
    return response.outcome
  }

  /// The entity as it is now.
  public func entity(_ key: EntityKey, in space: SpaceName, includeDeleted: Bool = true) throws -> Entity {
    let response: GetResponse = try get(.get, GetRequest(space: space, key: key, includeDeleted: includeDeleted))
    return response.entity
  }

  public func createSpace(_ name: SpaceName) throws {
    let _: SpaceResponse = try get(.createSpace, SpaceRequest(name: name))
  }

  public func space(_ name: SpaceName) throws -> SpaceDescription {
    let response: SpaceResponse = try get(.getSpace, SpaceRequest(name: name))
    return response.space
  }

  /// What VerifySpace finds.
  public func verify(_ name: SpaceName) throws -> VerifySpaceResponse {
    let reply = try call(.verifySpace, SpaceRequest(name: name))
    if let status = reply.status { throw status }
    guard let last = reply.data.last else { throw Failure.silent }
    return try last.withUnsafeBytes { try VerifySpaceResponse.decode($0, using: arena) }
  }
}
