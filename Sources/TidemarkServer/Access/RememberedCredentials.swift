internal import TidemarkCore
internal import TidemarkStore

/// What one connection remembers of its last credentials, so that checking the same ones again costs a comparison.
struct RememberedCredentials {
  /// What a look at credentials comes to.
  enum Verdict {
    case principal(Principal)
    case refused
    /// What other nodes did has to be looked at first.
    case ask
  }

  private var authorization = ""
  private var generation: UInt64 = 0
  private var finding = Authenticator.Finding.bad
  /// There was no such token when other nodes' changes were looked at. Tokens are random: there never will be.
  private var isRefused = false

  /// Judges credentials.
  ///
  /// - Parameters:
  ///   - now: the time by `StoreClock.uptimeNanoseconds`. Not asked for on a store that one node has.
  ///   - asked: when the verdict on the same call was `ask`.
  mutating func verdict(
    for authorization: String, _ authenticator: Authenticator, now: () -> UInt64, since asked: UInt64? = nil
  ) -> Verdict {
    let standing = authenticator.standing
    if generation != standing.generation || self.authorization != authorization {
      if self.authorization != authorization { isRefused = false }
      finding = authenticator.find(authorization)
      self.authorization = authorization
      generation = standing.generation
    }
    // The developer has no token that somebody could revoke.
    let isTokenless = authorization.isEmpty
    let isConfirmed = asked.map { standing.confirmed >= $0 } ?? false
    switch finding {
    case .bad: return .refused
    case .principal(let principal):
      return isTokenless || standing.isAlone || isConfirmed || now() < standing.trustedUntil ? .principal(principal) : .ask
    case .unknown:
      isRefused = isRefused || standing.isAlone || isConfirmed
      return isRefused ? .refused : .ask
    }
  }
}
