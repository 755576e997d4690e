internal import Synchronization
internal import TidemarkCore
public import TidemarkStore

/// Knows who may call: turns the credentials of a call into a principal.
///
/// The tokens of the store are held in memory; whoever changes them here tells the authenticator after the commit. Where other nodes change
/// them, too, a `NodePoller` does, and what is known counts only for a while after a poll: a call that comes later is held until
/// the next one, and so is a call with a token that is not known. docs/NODES.md says what that promises. Refusals never say why.
public final class Authenticator: TokenKeeper {
  /// How long tokens are trusted after the begin of the last poll that succeeded, while polls go on: for so long a token that another node
  /// revoked may be taken when the database cannot be reached. In nanoseconds.
  public static let trustMax: UInt64 = 2_000_000_000
  /// The same while nobody calls and polls rest.
  static let restingTrustMax: UInt64 = 80_000_000

  /// What is known of the tokens of the store, at one moment.
  struct Standing: Sendable {
    /// Counts changes, so that connections know when what they remember is stale.
    var generation: UInt64 = 1
    /// Until when tokens are trusted, by `StoreClock.uptimeNanoseconds`.
    var trustedUntil: UInt64
    /// When the last poll that was taken began.
    var confirmed: UInt64 = 0

    /// Nobody else changes tokens.
    var isAlone: Bool { trustedUntil == .max }
  }

  private struct Known: Sendable {
    var tokens: [String: TokenRecord] = [:]
    var standing: Standing
    /// Changes that were made here.
    var moment: UInt64 = 0
    /// Who waits for a poll that begins at a time or later.
    var waiters: [(since: UInt64, wake: @Sendable () -> Void)] = []
  }

  private let known: Mutex<Known>
  private let developer: Principal?

  /// - Parameters:
  ///   - tokens: all tokens of the store.
  ///   - isDevelopment: take calls without credentials, as a principal `developer` that may do everything.
  ///   - isAlone: nobody else changes tokens, so what is known is all there is.
  public init(tokens: [TokenRecord], isDevelopment: Bool, isAlone: Bool = true) {
    var start = Known(standing: Standing(trustedUntil: isAlone ? .max : 0))
    for token in tokens { start.tokens[token.id] = token }
    known = Mutex(start)
    developer = isDevelopment ? PrincipalName("developer").map { Principal(name: $0, roleEverywhere: .admin) } : nil
  }

  /// Whether calls without credentials are taken.
  public var isDevelopment: Bool { developer != nil }

  /// Whether there is any token.
  var hasTokens: Bool { known.withLock { !$0.tokens.isEmpty } }

  var standing: Standing { known.withLock { $0.standing } }

  /// What is known of some credentials.
  enum Finding {
    case principal(Principal)
    /// They are no credentials, or those of a token with another secret: they never will be good.
    case bad
    /// There is no such token as far as is known.
    case unknown
  }

  /// Looks credentials up, as far as is known.
  ///
  /// - Parameter authorization: `Bearer` and a token, or nothing at all for the developer.
  func find(_ authorization: String) -> Finding {
    if authorization.isEmpty { return developer.map { .principal($0) } ?? .bad }
    let scheme = "bearer "
    guard authorization.utf8.count > scheme.utf8.count, authorization.prefix(scheme.count).lowercased() == scheme,
      let token = TokenText(authorization.dropFirst(scheme.count))
    else { return .bad }
    guard let record = known.withLock({ $0.tokens[token.id] }) else { return .unknown }
    guard token.matches(record.secretHash) else { return .bad }
    return .principal(Principal(name: record.principal, roleEverywhere: record.roleEverywhere, roles: record.roles))
  }

  /// The principal of these credentials as far as is known; `nil` when they are not good.
  func principal(for authorization: String) -> Principal? {
    if case .principal(let principal) = find(authorization) { principal } else { nil }
  }

  // MARK: Changes of this node

  /// Takes a token that was committed.
  func add(_ token: TokenRecord) { change { $0[token.id] = token } }

  /// Forgets a token whose removal was committed.
  func remove(id: String) { change { $0[id] = nil } }

  private func change(_ body: (inout [String: TokenRecord]) -> Void) {
    known.withLock {
      body(&$0.tokens)
      $0.standing.generation &+= 1
      $0.moment &+= 1
    }
  }

  // MARK: Changes of other nodes

  public func moment() -> UInt64 { known.withLock { $0.moment } }

  public func take(_ tokens: [TokenRecord]?, at moment: UInt64, began: UInt64) -> Bool {
    let wakes: [@Sendable () -> Void]? = known.withLock { known in
      if let tokens {
        // The poll may be older than what was changed here.
        guard moment == known.moment else { return nil }
        known.tokens = Dictionary(tokens.map { ($0.id, $0) }) { $1 }
        known.standing.generation &+= 1
      }
      known.standing.confirmed = began
      known.standing.trustedUntil = began &+ Authenticator.trustMax
      let ready = known.waiters.filter { $0.since <= began }.map(\.wake)
      known.waiters.removeAll { $0.since <= began }
      return ready
    }
    for wake in wakes ?? [] { wake() }
    return wakes != nil
  }

  public func rest(confirmed: UInt64) {
    known.withLock {
      $0.standing.trustedUntil = min($0.standing.trustedUntil, confirmed &+ Authenticator.restingTrustMax)
    }
  }

  /// Calls `wake` once, on the poller's thread, after a poll that began at `since` or later.
  func whenConfirmed(since: UInt64, _ wake: @escaping @Sendable () -> Void) {
    let isNow = known.withLock { known in
      if known.standing.confirmed >= since { return true }
      known.waiters.append((since, wake))
      return false
    }
    if isNow { wake() }
  }
}
