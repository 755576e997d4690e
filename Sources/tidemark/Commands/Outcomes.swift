import ArgumentParser
import TidemarkCore

/// Explains what can become of a write.
struct Outcomes: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Explain each outcome that a write can have.")

  private static let names = ["outcome", "exit_status", "meaning", "what_to_do"]

  @OptionGroup var output: OutputOptions

  func run() throws {
    if output.listsFields(Outcomes.names) { return }
    var writer = RecordWriter(output, columns: Outcomes.names)
    for code in OutcomeCode.allCases {
      let (meaning, advice) = code.explanation
      writer.write(
        .object([
          .init("outcome", .string(code.word)), .init("exit_status", .int(ExitStatus(code).rawValue)),
          .init("meaning", .string(meaning)), .init("what_to_do", .string(advice)),
        ]))
    }
    writer.finish()
  }
}

extension OutcomeCode {
  fileprivate var explanation: (meaning: String, advice: String) {
    switch self {
    case .applied: ("The write made a new version.", "Nothing.")
    case .unchanged: ("The entity was as the write wants it already; no version was made.", "Nothing.")
    case .merged: ("The write was merged with changes made since and made a new version.", "Nothing.")
    case .conflict:
      ("Somebody changed the entity since the version you named.", "Get it, decide, write again with the new version.")
    case .notFound: ("There is no such entity, or it is deleted.", "Create it, or restore it.")
    case .alreadyExists: ("A create found the entity there.", "Get it and patch it.")
    case .uniqueViolation: ("Another entity holds a key that must be unique.", "Change the key, or the other entity.")
    case .referenceViolation: ("A reference points nowhere, or the entity is pointed at.", "Mend the reference first.")
    case .invalid: ("The write breaks a rule of the data model.", "Mend what is named; the same write is refused again.")
    case .forbidden: ("You may not do this.", "Ask for a role.")
    case .vetoed: ("A rule of this server refused the write.", "Read its message.")
    case .purged: ("The entity is gone for good.", "Create it anew if it is still wanted.")
    case .epochChanged: ("The space was restored from a backup since you read it.", "Get it, decide, write again.")
    case .receiptExpired: ("The write is too old to know whether it was applied.", "Get the entity and decide again.")
    case .aborted: ("The write was not judged, because one it depends on failed.", "Send it again.")
    }
  }
}
