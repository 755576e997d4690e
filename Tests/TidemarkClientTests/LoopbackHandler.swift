import NIOCore
import Synchronization
import TidemarkCore
import TidemarkTransport
import TidemarkWire

/// What the handlers of a listener saw, for the test to wait for.
final class Sightings: Sendable {
  enum Sight: Hashable, Sendable {
    /// A call came that stays unanswered.
    case pending
    case cancelled
    /// The stream may not send more.
    case stalled
  }

  private struct State {
    var seen: [Sight] = []
    var waiters: [(Sight, CheckedContinuation<Void, Never>)] = []
    var pages = 0
    var attempts: [UInt32] = []
  }

  private let state = Mutex(State())

  /// Pages sent on all streams.
  var pages: Int { state.withLock { $0.pages } }
  /// The attempt numbers of the calls that were answered.
  var attempts: [UInt32] { state.withLock { $0.attempts } }

  func note(_ sight: Sight) {
    let waiters = state.withLock { state in
      state.seen.append(sight)
      defer { state.waiters.removeAll { $0.0 == sight } }
      return state.waiters.filter { $0.0 == sight }
    }
    for waiter in waiters { waiter.1.resume() }
  }

  func notePage() { state.withLock { $0.pages += 1 } }
  func note(attempt: UInt32) { state.withLock { $0.attempts.append(attempt) } }

  /// Returns once this was seen.
  func wait(for sight: Sight) async {
    await withCheckedContinuation { continuation in
      let isSeen = state.withLock { state in
        if state.seen.contains(sight) { return true }
        state.waiters.append((sight, continuation))
        return false
      }
      if isSeen { continuation.resume() }
    }
  }
}

/// Answers ListSpaces, never answers Get and writes, and answers List with pages without end.
final class LoopbackHandler: CallHandler {
  private let sightings: Sightings
  private var nextID = 1

  init(_ sightings: Sightings) { self.sightings = sightings }

  func receive(_ call: IncomingCall) -> CallDisposition {
    switch Method(rawValue: call.method) {
    case .listSpaces:
      sightings.note(attempt: call.meta.attempt)
      return .reply(CallReply(message: (try? ListSpacesResponse(spaces: []).buffer()) ?? ByteBuffer()))
    case .list:
      fill(call.id, call.connection)
    default: sightings.note(.pending)
    }
    return .pending
  }

  func creditAvailable(_ call: CallID, connection: any CallConnection) { fill(call, connection) }

  func cancelled(_ call: CallID, reason: CancelReason, connection: any CallConnection) {
    if reason == .client { sightings.note(.cancelled) }
    // Whichever of the two is first at the deadline, the client or the server, both say the same.
    let status = reason == .deadline ? RPCStatus(.deadlineExceeded, "late") : RPCStatus(.cancelled, "cancelled")
    connection.complete(call, with: CallReply(status: status))
  }

  private func fill(_ call: CallID, _ connection: any CallConnection) {
    while let page = makePage() {
      sightings.notePage()
      guard connection.send(page, on: call) else { break }
    }
    sightings.note(.stalled)
    connection.flush()
  }

  /// One entity of about 1 KiB.
  private func makePage() -> ByteBuffer? {
    guard let type = TypeName("t"), let id = EntityID(LoopbackHandler.padded(nextID)), let by = PrincipalName("p"),
      let name = FieldPath("text"), let fields = try? Fields([Field(name, .string(String(repeating: "x", count: 1_000)))])
    else { return nil }
    nextID += 1
    let mark = Mark(at: Timestamp(rawValue: 0), by: by)
    let entity = Entity(
      key: EntityKey(type: type, id: id), version: .first, revision: Revision(rawValue: 1), life: .alive, created: mark,
      updated: mark, fields: CanonicalFields(fields))
    let epoch = Epoch(rawValue: Bytes16(high: 1, low: 2))
    return try? ListResponse(entities: [entity], revision: Revision(rawValue: 1), epoch: epoch).buffer()
  }

  static func padded(_ number: Int) -> String { String(String(1_000_000_000 + number).dropFirst()) }
}
