internal import Foundation
internal import Glibc
internal import Synchronization

/// Stands between an engine and a PostgreSQL server, and loses or holds back what it is told to.
///
/// `@unchecked Sendable`: what changes is `state`, which is a lock; the sockets are used by system calls only.
public final class CutProxy: @unchecked Sendable {
  public enum Mode: Hashable, Sendable {
    case pass
    /// The next commit never reaches the server, and the connection ends.
    case loseCommit
    /// The next commit reaches the server and is answered, and the connection ends in place of the answer.
    case loseAnswer
    /// The next commit waits here until `release`.
    case holdCommit
    /// The next commit reaches the server, and the answer waits here until `release`.
    case holdAnswer
    /// So many messages to the server pass, and the connection of the next one ends in its place.
    case loseMessage(after: Int)
    /// Nothing that the server says gets through any more.
    case silence
  }

  /// The folder of the socket that engines connect to.
  public let folder: TemporaryFolder
  private let target: String
  private let listener: Int32
  private let mode = Mutex(Mode.pass)
  /// The number of the next connection, and the number below which nothing that the server says gets through.
  private let links = Mutex((next: 0, silentBelow: 0))
  private let counted = Mutex(0)
  private let held = Waiting<Bool>()
  private let released = Waiting<Bool>()

  /// - Parameter target: the folder of the server's socket.
  public init(to target: String) throws {
    self.target = target
    folder = try TemporaryFolder()
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard CutProxy.withAddress(folder.path, { bind(listener, $0, $1) }) == 0, listen(listener, 16) == 0 else {
      throw POSIXError(.EADDRINUSE)
    }
    Thread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        connect(client)
      }
    }.start()
  }

  /// How often the server was waited for: what is sent to it ends each time with a Sync message.
  public var roundTrips: Int { counted.withLock { $0 } }

  /// Says what happens next.
  public func set(_ new: Mode) { mode.withLock { $0 = new } }

  /// Says that nothing happens, and returns what would have happened and has not.
  public func reset() -> Mode {
    mode.withLock { mode in
      defer { mode = .pass }
      return mode
    }
  }

  /// Lets nothing through any more that the server says on the connections there are. Further ones are not touched.
  public func silencePresent() { links.withLock { $0.silentBelow = $0.next } }

  /// Blocks until a commit, or the answer to one, is held back.
  public func waitUntilHeld() { _ = held.take() }

  /// Lets go what is held back.
  public func release() { released.put(true) }

  /// Ends the proxy and all that goes through it.
  public func close() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func connect(_ client: Int32) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard CutProxy.withAddress(target, { Glibc.connect(server, $0, $1) }) == 0 else {
      Glibc.close(client)
      Glibc.close(server)
      return
    }
    let number = links.withLock { links in
      defer { links.next += 1 }
      return links.next
    }
    let link = Link(number: number, PostgresMessages())
    Thread { [self] in
      pump(client, server) { toServer($0, link) }
      link.end(client, server)
    }.start()
    Thread { [self] in
      pump(server, client) { [self] _ in fromServer(link) }
      link.end(client, server)
    }.start()
  }

  private enum Fate { case forward, drop, end }

  /// What is known of one connection.
  private final class Link: Sendable {
    enum Answer { case pass, lose, hold }
    let number: Int
    let answer = Mutex(Answer.pass)
    let messages: Mutex<PostgresMessages>
    private let ended = Atomic(0)

    init(number: Int, _ messages: PostgresMessages) {
      self.number = number
      self.messages = Mutex(messages)
    }

    /// Closes the sockets when nothing goes through them in either direction.
    func end(_ client: Int32, _ server: Int32) {
      guard ended.add(1, ordering: .acquiringAndReleasing).newValue == 2 else { return }
      Glibc.close(client)
      Glibc.close(server)
    }
  }

  private func toServer(_ bytes: ArraySlice<UInt8>, _ link: Link) -> Fate {
    if bytes.suffix(5).elementsEqual([UInt8(ascii: "S"), 0, 0, 0, 4]) { counted.withLock { $0 += 1 } }
    let isCommit = link.messages.withLock { $0.takeAndFindCommit(bytes) }
    let (fate, holds) = mode.withLock { mode -> (Fate, Bool) in
      switch mode {
      case .loseMessage(let count):
        mode = count > 0 ? .loseMessage(after: count - 1) : .pass
        return (count > 0 ? .forward : .end, false)
      case .pass, .silence: return (.forward, false)
      case .loseCommit, .loseAnswer, .holdCommit, .holdAnswer: break
      }
      guard isCommit else { return (.forward, false) }
      defer { mode = .pass }
      if mode == .loseAnswer { link.answer.withLock { $0 = .lose } }
      if mode == .holdAnswer { link.answer.withLock { $0 = .hold } }
      return (mode == .loseCommit ? .end : .forward, mode == .holdCommit)
    }
    if holds { hold() }
    return fate
  }

  private func fromServer(_ link: Link) -> Fate {
    switch link.answer.withLock({ $0 }) {
    case .lose: return .end
    case .hold:
      link.answer.withLock { $0 = .pass }
      hold()
    case .pass: break
    }
    if links.withLock({ link.number < $0.silentBelow }) { return .drop }
    return mode.withLock { $0 } == .silence ? .drop : .forward
  }

  private func hold() {
    held.put(true)
    _ = released.take()
  }

  private func pump(_ from: Int32, _ to: Int32, _ judge: (ArraySlice<UInt8>) -> Fate) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    read: while true {
      let count = recv(from, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      switch judge(buffer[..<count]) {
      case .forward:
        var sent = 0
        while sent < count {
          let more = buffer[sent..<count].withUnsafeBytes { send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
          guard more > 0 else { break read }
          sent += more
        }
      case .drop: continue
      case .end: break read
      }
    }
    shutdown(from, Int32(SHUT_RDWR))
    shutdown(to, Int32(SHUT_RDWR))
  }

  private static func withAddress<Result>(_ folder: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: Array("\(folder)/.s.PGSQL.5432".utf8).prefix(path.count - 1))
    }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}

/// Finds the commits in what a client says (PostgreSQL documentation, 55.7).
private struct PostgresMessages {
  private var rest: [UInt8] = []
  private var hasStarted = false
  /// The names of prepared statements that commit.
  private var commits: Set<[UInt8]> = []

  /// Takes the next bytes. True when a commit is asked for in a message that ends among them.
  mutating func takeAndFindCommit(_ bytes: ArraySlice<UInt8>) -> Bool {
    rest += bytes
    var isFound = false
    while let message = next() { if isCommit(message) { isFound = true } }
    return isFound
  }

  /// The type and the body of the next whole message. The first one of a connection has no type.
  private mutating func next() -> (type: UInt8, body: ArraySlice<UInt8>)? {
    let head = hasStarted ? 1 : 0
    guard rest.count >= head + 4 else { return nil }
    let length = rest[head..<head + 4].reduce(0) { $0 << 8 | Int($1) }
    guard length >= 4, rest.count >= head + length else { return nil }
    let message = (head == 0 ? 0 : rest[0], rest[(head + 4)..<(head + length)])
    rest = Array(rest[(head + length)...])
    // Asking for encryption comes before the start, and is eight bytes long.
    if !hasStarted, length > 8 { hasStarted = true }
    return message
  }

  private mutating func isCommit(_ message: (type: UInt8, body: ArraySlice<UInt8>)) -> Bool {
    let texts = message.body.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard let first = texts.first else { return false }
    switch message.type {
    case UInt8(ascii: "Q"): return first.elementsEqual("COMMIT".utf8)
    case UInt8(ascii: "P"):
      if texts.count > 1, texts[1].elementsEqual("COMMIT".utf8) { commits.insert(Array(first)) }
      return false
    case UInt8(ascii: "B"): return texts.count > 1 && commits.contains(Array(texts[1]))
    default: return false
    }
  }
}
