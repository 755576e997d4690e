public import TidemarkCore
import TidemarkWire

/// Where a server listens, and optionally one of its spaces: `tidemark://host:port/space`.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
  /// The port of a server that was not told otherwise.
  public static let portDefault = WireLimits.portDefault

  /// A name, an IPv4 address, or an IPv6 address without brackets.
  public var host: String
  /// 1 to 65,535.
  public var port: Int
  /// The space that the address names; `nil` for none.
  public var space: SpaceName?

  public init(host: String, port: Int = ServerAddress.portDefault, space: SpaceName? = nil) {
    self.host = host
    self.port = port
    self.space = space
  }

  /// Reads `tidemark://host`, `tidemark://host:port`, `tidemark://host/space` and `tidemark://host:port/space`.
  ///
  /// - Throws: `AddressError` saying what is wrong.
  public init(parsing text: String) throws(AddressError) {
    let scheme = "tidemark://"
    guard text.hasPrefix(scheme) else {
      throw AddressError("The address '\(text)' does not start with tidemark://, as in tidemark://localhost:8433/default.")
    }
    let rest = text.dropFirst(scheme.count)
    guard !rest.contains("@") else {
      // Not repeated in the message: what stands before the @ may be a secret.
      throw AddressError("An address holds no user or token. Give the token by a file or by the environment.")
    }
    guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else {
      throw AddressError("The address '\(text)' has more than a host, a port and a space.")
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    (host, port) = try ServerAddress.parseHost(String(rest[..<slash]), in: text)
    let path = rest[slash...].dropFirst()
    space = nil
    guard !path.isEmpty else { return }
    guard let name = SpaceName(String(path)) else {
      throw AddressError("'\(path)' is no name of a space: lower-case letters, digits, dot, dash and underscore.")
    }
    space = name
  }

  /// The text from which the address can be read again.
  public var description: String {
    let host = host.contains(":") ? "[\(host)]" : host
    return "tidemark://\(host):\(port)" + (space.map { "/\($0)" } ?? "")
  }

  /// True when both lead to the same server, whatever the space.
  public func isSameServer(as other: ServerAddress) -> Bool { host == other.host && port == other.port }

  /// True when nothing sent to this address leaves the machine.
  public var isLoopback: Bool {
    host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
  }

  private static func parseHost(_ text: String, in address: String) throws(AddressError) -> (String, Int) {
    var host = text[...]
    var port = ""[...]
    if text.hasPrefix("[") {
      guard let close = text.firstIndex(of: "]") else {
        throw AddressError("The address '\(address)' opens a bracket and does not close it.")
      }
      host = text[text.index(after: text.startIndex)..<close]
      let after = text[text.index(after: close)...]
      guard after.isEmpty || after.hasPrefix(":") else {
        throw AddressError("The address '\(address)' has something other than a port behind the bracket.")
      }
      port = after.dropFirst()
      guard after.isEmpty || !port.isEmpty else { throw AddressError.badPort(address) }
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
      guard !port.contains(":") else {
        throw AddressError("Write an IPv6 address in brackets, as in tidemark://[::1]:8433.")
      }
      guard !port.isEmpty else { throw AddressError.badPort(address) }
    }
    let isClean = host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    guard !host.isEmpty, isClean else { throw AddressError("The address '\(address)' names no host.") }
    guard !port.isEmpty else { return (String(host), WireLimits.portDefault) }
    guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(port), (1...65_535).contains(number) else {
      throw AddressError.badPort(address)
    }
    return (String(host), number)
  }
}

/// Says what is wrong with an address.
public struct AddressError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A sentence for people.
  public let description: String

  init(_ description: String) { self.description = description }

  static func badPort(_ address: String) -> AddressError {
    AddressError("The port in '\(address)' is not a number from 1 to 65535.")
  }
}
