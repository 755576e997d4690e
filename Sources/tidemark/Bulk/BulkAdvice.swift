import TidemarkCore

/// The commands to go on with when some rows failed.
enum BulkAdvice {
  /// - Parameter mode: how the rows were sent: what was to succeed together is sent again together.
  static func lines(_ tally: BulkTally, _ names: BulkFileNames, _ mode: BulkMode) -> [String] {
    let results = ShellText.quote(names.results)
    var lines: [String] = []
    if tally.counts[OutcomeCode.alreadyExists.word] != nil {
      lines.append("To change what exists already, name the version you saw in a column 'version'.")
    }
    if tally.conflicts > 0, let choice = choice(tally, mode) {
      lines.append("To write on top of what is told here:              tidemark bulk retry \(results)\(choice)")
      lines.append(
        "To merge where others changed other fields:        tidemark bulk retry \(results)\(choice) --on-conflict merge")
    }
    if tally.done > 0 { lines.append("To take back what was applied:                     tidemark bulk undo \(results)") }
    return lines
  }

  /// The options that choose the rows to send again; `nil` when some of those that belong together cannot be.
  private static func choice(_ tally: BulkTally, _ mode: BulkMode) -> String? {
    let end = mode == .atomic ? " --atomic" : ""
    guard tally.counts[OutcomeCode.aborted.word] != nil else { return " --only conflict" + end }
    let done = Set(OutcomeCode.allCases.filter(\.isSuccess).map(\.word))
    let others = Set(tally.counts.keys).subtracting(done).subtracting([OutcomeCode.conflict.word, OutcomeCode.aborted.word])
    guard others.isDisjoint(with: ["unreadable", "not_sent"]) else { return nil }
    return (others.isEmpty ? " --only conflict,aborted" : "") + end
  }

  /// What there is to say of rows that an earlier run did.
  static func remarks(_ tally: BulkTally, _ names: BulkFileNames?) -> [String] {
    guard tally.doneBefore > 0, let names else { return [] }
    let undo = BulkFileNames(ofResults: names.results, "undo").results
    let again = "the same command with a new --run NAME"
    let what = "What an earlier run did is not sent again, also when it was taken back since. To do it again:"
    return TextFile.exists(undo) ? ["\(what) tidemark bulk undo \(ShellText.quote(undo)), or \(again)."] : ["\(what) \(again)."]
  }
}
