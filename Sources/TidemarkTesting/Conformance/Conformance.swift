/// The contract of `EntityStore` as claims that every engine is tested against.
///
/// Each claim is run on a fresh, empty store: `try claim.check(makeStore())`. A broken one throws `ConformanceFailure`.
public struct Conformance: Sendable, CustomStringConvertible {
  /// The sentence that is checked.
  public let description: String
  /// Checks it.
  public let check: @Sendable (StoreUnderTest) throws -> Void

  init(_ description: String, _ check: @escaping @Sendable (StoreUnderTest) throws -> Void) {
    self.description = description
    self.check = check
  }

  /// Every claim.
  public static let claims: [Conformance] =
    transactionClaims + isolationClaims + spaceClaims + entityClaims + logClaims + receiptClaims + tokenClaims + schemaClaims
    + expectingClaims + keyClaims + heldClaims + referenceClaims + markClaims + feedClaims
}
