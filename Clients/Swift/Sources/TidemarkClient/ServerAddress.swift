public import TidemarkCore
import TidemarkWire

/// Where a server listens, and optionally one of its spaces: `tidemark://host:port/space`. Several servers of one store stand in a list:
/// `tidemark://host:port,host:port/space`.
public struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
  /// The port of a server that was not told otherwise.
  public static let portDefault = WireLimits.portDefault

  /// A name, an IPv4 address, or an IPv6 address without brackets.
  public var host: String
  /// 1 to 65,535.
  public var port: Int
  /// Further servers of the same store, any of which takes any call.
  public var others: [ServerEndpoint]
  /// The space that the address names; `nil` for none.
  public var space: SpaceName?

  public init(
    host: String, port: Int = ServerAddress.portDefault, others: [ServerEndpoint] = [], space: SpaceName? = nil
  ) {
    self.host = host
    self.port = port
    self.others = others
    self.space = space
  }

  /// The most servers in an address.
  public static let endpointsMax = 64

  /// All its servers, at least one.
  public var endpoints: [ServerEndpoint] { [ServerEndpoint(host: host, port: port)] + others }

  /// Reads `tidemark://host`, `tidemark://host:port`, `tidemark://host/space` and `tidemark://host:port/space`, each with further hosts behind
  /// commas.
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
    var all: [ServerEndpoint] = []
    for part in rest[..<slash].split(separator: ",", omittingEmptySubsequences: false) {
      let (host, port) = try ServerAddress.parseHost(String(part), in: text)
      all.append(ServerEndpoint(host: host, port: port))
    }
    guard let first = all.first, all.count <= ServerAddress.endpointsMax else {
      throw AddressError("An address names at most \(ServerAddress.endpointsMax) servers.")
    }
    guard Set(all).count == all.count else { throw AddressError("The address '\(text)' names a server twice.") }
    (host, port, others) = (first.host, first.port, Array(all.dropFirst()))
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
    "tidemark://" + endpoints.map(\.description).joined(separator: ",") + (space.map { "/\($0)" } ?? "")
  }

  /// True when each server of the other address is one of this, whatever the space.
  public func isSameServer(as other: ServerAddress) -> Bool { Set(other.endpoints).isSubset(of: endpoints) }

  /// True when nothing sent to this address leaves the machine.
  public var isLoopback: Bool { endpoints.allSatisfy(\.isLoopback) }

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

/// Where one server listens.
public struct ServerEndpoint: Hashable, Sendable, CustomStringConvertible {
  /// A name, an IPv4 address, or an IPv6 address without brackets.
  public var host: String
  /// 1 to 65,535.
  public var port: Int

  public init(host: String, port: Int = ServerAddress.portDefault) {
    self.host = host
    self.port = port
  }

  /// As it stands in an address: `host:port`, with brackets around an IPv6 address.
  public var description: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

  /// True when nothing sent there leaves the machine.
  public var isLoopback: Bool {
    host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
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
