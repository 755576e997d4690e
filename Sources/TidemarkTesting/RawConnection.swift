internal import Glibc

/// A TCP connection to this machine without any protocol: what an attacker has.
public final class RawConnection {
  private let descriptor: Int32

  /// Connects to a port of 127.0.0.1.
  public init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Failure.socket(errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(clamping: port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      Glibc.close(descriptor)
      throw Failure.socket(errno)
    }
    boundSending()
  }

  deinit { Glibc.close(descriptor) }

  /// Nothing that is sent waits longer than this for a peer that does not read.
  private static let sendSecondsMax = 10

  private func boundSending() {
    var limit = timeval(tv_sec: RawConnection.sendSecondsMax, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Reads nothing and waits until the peer is gone; false when it is still there after a time.
  public func waitForHangUp(timeoutMilliseconds: Int32) -> Bool {
    // POLLHUP and POLLERR need not be asked for.
    var wanted = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&wanted, 1, timeoutMilliseconds) > 0
  }

  /// Sends everything, or as much as the peer takes before it closes.
  ///
  /// - Returns: false when the peer closed first.
  @discardableResult
  public func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Sends what fits without waiting.
  ///
  /// - Returns: how many bytes went out; -1 when the peer closed.
  public func sendWithoutWaiting(_ bytes: [UInt8]) -> Int {
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, bytes.count, flags) }
    return count >= 0 ? count : (errno == EAGAIN ? 0 : -1)
  }

  /// Says that nothing more will be sent.
  public func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// What arrives next; empty when the peer closed; `nil` when nothing arrives in time.
  public func receive(timeoutMilliseconds: Int32 = 10_000) -> [UInt8]? {
    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&wanted, 1, timeoutMilliseconds) > 0 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer.prefix(count)) : []
  }

  /// Everything until the peer closes; `nil` when it does not close in time.
  public func receiveUntilClosed(timeoutMilliseconds: Int32 = 10_000) -> [UInt8]? {
    var all: [UInt8] = []
    while let chunk = receive(timeoutMilliseconds: timeoutMilliseconds) {
      if chunk.isEmpty { return all }
      all += chunk
    }
    return nil
  }

  /// Everything up to a number of bytes; `nil` when they do not arrive in time.
  public func receive(count: Int) -> [UInt8]? {
    var all: [UInt8] = []
    while all.count < count {
      guard let chunk = receive(), !chunk.isEmpty else { return nil }
      all += chunk
    }
    return all
  }

  public enum Failure: Error { case socket(Int32) }
}
