internal import Synchronization
internal import TidemarkCore
public import TidemarkStore

/// Knows who may call: turns the credentials of a call into a principal.
///
/// The tokens of the store are held in memory; whoever changes them tells the authenticator after the commit. Refusals never say why.
public final class Authenticator: Sendable {
  private struct Known: Sendable {
    var tokens: [String: TokenRecord] = [:]
    /// Counts changes, so that connections know when what they remember is stale.
    var generation: UInt64 = 1
  }

  private let known: Mutex<Known>
  private let developer: Principal?

  /// - Parameters:
  ///   - tokens: all tokens of the store.
  ///   - isDevelopment: take calls without credentials, as a principal `developer` that may do everything.
  public init(tokens: [TokenRecord], isDevelopment: Bool) {
    var start = Known()
    for token in tokens { start.tokens[token.id] = token }
    known = Mutex(start)
    developer = isDevelopment ? PrincipalName("developer").map { Principal(name: $0, roleEverywhere: .admin) } : nil
  }

  /// Whether calls without credentials are taken.
  public var isDevelopment: Bool { developer != nil }

  /// Whether there is any token.
  var hasTokens: Bool { known.withLock { !$0.tokens.isEmpty } }

  /// Changes whenever a token is added or removed.
  var generation: UInt64 { known.withLock { $0.generation } }

  /// The principal of these credentials; `nil` when they are not good.
  ///
  /// - Parameter authorization: `Bearer` and a token, or nothing at all for the developer.
  func principal(for authorization: String) -> Principal? {
    if authorization.isEmpty { return developer }
    let scheme = "bearer "
    guard authorization.utf8.count > scheme.utf8.count, authorization.prefix(scheme.count).lowercased() == scheme,
      let token = TokenText(authorization.dropFirst(scheme.count)),
      let record = known.withLock({ $0.tokens[token.id] }), token.matches(record.secretHash)
    else { return nil }
    return Principal(name: record.principal, roleEverywhere: record.roleEverywhere, roles: record.roles)
  }

  /// Takes a token that was committed.
  func add(_ token: TokenRecord) {
    known.withLock {
      $0.tokens[token.id] = token
      $0.generation &+= 1
    }
  }

  /// Forgets a token whose removal was committed.
  func remove(id: String) {
    known.withLock {
      $0.tokens[id] = nil
      $0.generation &+= 1
    }
  }
}

/// What one connection remembers of its last credentials, so that checking the same ones again costs a comparison.
struct RememberedCredentials {
  private var authorization = ""
  private var generation: UInt64 = 0
  private var principal: Principal?

  /// The principal of these credentials; `nil` when they are not good.
  mutating func principal(for authorization: String, _ authenticator: Authenticator) -> Principal? {
    let now = authenticator.generation
    if generation == now, self.authorization == authorization { return principal }
    let found = authenticator.principal(for: authorization)
    self.authorization = authorization
    generation = now
    principal = found
    return found
  }
}
