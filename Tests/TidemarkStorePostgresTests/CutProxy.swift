import Foundation
import Synchronization
import TidemarkTesting

@testable import TidemarkStorePostgres

/// Stands between an engine and the server, and loses what it is told to lose.
///
/// `@unchecked Sendable`: what changes is `mode`, which is a lock; the sockets are used by system calls only.
final class CutProxy: @unchecked Sendable {
  enum Mode {
    case pass
    /// The next commit never reaches the server, and the connection ends.
    case loseCommit
    /// The next commit reaches the server and is answered, and the connection ends in place of the answer.
    case loseAnswer
    /// Nothing that the server says gets through any more.
    case silence
  }

  let folder: TemporaryFolder
  private let target: String
  private let listener: Int32
  private let mode = Mutex(Mode.pass)
  /// The number of the next connection, and the number below which nothing that the server says gets through.
  private let links = Mutex((next: 0, silentBelow: 0))

  /// - Parameter target: the folder of the server's socket.
  init(to target: String) throws {
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

  func set(_ new: Mode) { mode.withLock { $0 = new } }

  /// Lets nothing through any more that the server says on the connections there are. Further ones are not touched.
  func silencePresent() { links.withLock { $0.silentBelow = $0.next } }

  /// Ends the proxy and all that goes through it.
  func close() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func connect(_ client: Int32) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard CutProxy.withAddress(target, { Glibc.connect(server, $0, $1) }) == 0 else {
      Glibc.close(client)
      Glibc.close(server)
      return
    }
    let losesNext = Mutex(false)
    let number = links.withLock { links in
      defer { links.next += 1 }
      return links.next
    }
    let link = Link(number: number, losesNext: losesNext)
    Thread { [self] in pump(client, server) { toServer($0, link) } }.start()
    Thread { [self] in pump(server, client) { [self] _ in fromServer(link) } }.start()
  }

  private enum Fate { case forward, drop, end }

  /// Whether one connection loses the next answer.
  private final class Link: Sendable {
    let number: Int
    let losesNext: Mutex<Bool>
    init(number: Int, losesNext: consuming Mutex<Bool>) {
      self.number = number
      self.losesNext = losesNext
    }
  }

  /// A Bind message names the portal, which has no name, and the statement.
  private static let commit = Array("\0s\(SQL.commit.rawValue)\0".utf8)

  private func toServer(_ bytes: ArraySlice<UInt8>, _ link: Link) -> Fate {
    guard bytes.indices.contains(where: { bytes[$0...].starts(with: CutProxy.commit) }) else { return .forward }
    return mode.withLock { mode in
      defer { if mode == .loseCommit || mode == .loseAnswer { mode = .pass } }
      if mode == .loseAnswer { link.losesNext.withLock { $0 = true } }
      return mode == .loseCommit ? .end : .forward
    }
  }

  private func fromServer(_ link: Link) -> Fate {
    if link.losesNext.withLock({ $0 }) { return .end }
    if links.withLock({ link.number < $0.silentBelow }) { return .drop }
    return mode.withLock { $0 } == .silence ? .drop : .forward
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
