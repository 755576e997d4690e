/// What Tidemark promises, as far as the simulator looks after it.
public enum Claim: String, Sendable, CaseIterable {
  case acknowledgedIsStored = "what was acknowledged is stored, with its receipt"
  case batchIsWholeOrAbsent = "after a crash a commit is there as a whole or not at all"
  case storeOpensAgain = "the store opens again after every crash"
  case storeKeepsWorking = "a write fails only when the disk or the database does"
  case nothingIsDamaged = "nothing stored is damaged, and the chain of the log holds"
  case failedLeavesNothing = "of a write that is answered as not done nothing is there"
  case answersAreTheRules = "every item is answered as the rules say"
  case readsAreCommitted = "a read shows one committed state"
  case readsAreRecent = "a read shows what its client was told before, and what is told later is committed later"
  case versionsStepByOne = "versions of an entity step by one"
  case writesApplyOnce = "a write is applied once"
  case groupsAreWhole = "a group is applied as a whole or not at all"
  case keysAreHeldOnce = "a unique key is held once, by who has its fields"
  case referencesResolve = "a reference leads to an entity that is alive"
  case sumIsConserved = "transfers leave the sum of the accounts as it is"
}

/// A promise that was not kept.
public struct Violation: Error, Sendable, CustomStringConvertible {
  public var claim: Claim
  public var what: String

  init(_ claim: Claim, _ what: String) {
    self.claim = claim
    self.what = what
  }

  public var description: String { "broken: \(claim.rawValue). \(what)" }
}
