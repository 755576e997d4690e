/// As whom a client calls.
public struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
  /// What is sent as `authorization`; empty for none.
  let authorization: String

  /// None: right for a development server only.
  public static let none = Credentials(authorization: "")

  /// A bearer token, as `tidemark token create` shows it.
  public static func bearer(_ token: String) -> Credentials { Credentials(authorization: "Bearer \(token)") }

  /// True when there is something to send.
  public var isPresent: Bool { !authorization.isEmpty }

  /// Never shows the secret.
  public var description: String { isPresent ? "bearer token" : "none" }
  public var debugDescription: String { description }
}
