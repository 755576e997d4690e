import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// What the commands take that change an entity.
struct ExpectedOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The version you saw. The write is refused when there is a newer one.", valueName: "version"))
  var expected: UInt64?

  @Flag(help: "Take the version that is there now, whatever it is: reads it first.")
  var expectedCurrent = false

  func validate() throws {
    if expected == 0 { throw ValidationError("Versions count from 1.") }
    if expected != nil && expectedCurrent { throw ValidationError("--expected and --expected-current exclude each other.") }
  }

  /// The state to write against. Checks the arguments first, so that a wrong usage never reaches the server.
  func check(_ command: String, _ type: String, _ id: String) throws(CommandFailure) {
    guard expected == nil, !expectedCurrent else { return }
    let get = ShellText.join(["tidemark", "get", type, id] + (command == "restore" ? ["--include-deleted"] : []))
    throw .usage(
      "Say which version you saw, so that nobody's change is lost: --expected VERSION.",
      advice: [
        "To see the version:  \(get) --fields version", "To take whatever is there now:  --expected-current",
      ])
  }

  func resolve(_ session: Session, _ key: EntityKey) async throws -> Expected {
    if let expected { return Expected(version: EntityVersion(rawValue: expected)) }
    guard let found = try await session.space.get(key.type, key.id, includeDeleted: true) else {
      throw CommandFailure(.failed, "There is no \(key.type) '\(key.id)'.", code: "not_found")
    }
    return Expected(version: found.entity.version, revision: found.entity.revision, epoch: found.epoch)
  }
}

/// What every write takes.
struct WriteOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Repeat a write whose outcome is unknown, by its operation id.", valueName: "uuid"))
  var operation: String?
}

/// Prints what became of a single write, and ends with its status.
enum WriteReport {
  /// - Parameter unchanged: what it means that nothing changed.
  static func finish(
    _ outcome: Outcome, _ session: Session, unchanged: String = "is as you want it already"
  ) throws {
    let output = session.output
    switch output.format {
    case .json, .lines: RecordWriter.writeOne(try outcome.json(), output, known: Outcome.recordNames)
    case .table, .labels:
      if outcome.code == .unchanged, !outcome.isReplay {
        session.note("The \(outcome.type) '\(outcome.id?.text ?? "")' \(unchanged); no version was made.")
      }
      if outcome.code.isSuccess { writeSuccess(outcome, output) } else { session.note(try ConflictText.text(outcome)) }
    }
    let status = ExitStatus(outcome.code)
    if status != .done { throw CommandFailure.told(status) }
  }

  private static func writeSuccess(_ outcome: Outcome, _ output: OutputOptions) {
    var members: [JSON.Member] = [
      .init("outcome", .string(outcome.code.word)), .init("type", .string(outcome.type.text)),
      .init("id", .text(outcome.id?.text)),
      .init("version", outcome.version.map { .int($0.rawValue) } ?? .null),
      .init("revision", outcome.revision.map { .int($0.rawValue) } ?? .null),
    ]
    if output.chosen != nil { members.append(.init("operation_id", .string(outcome.operation.description))) }
    if outcome.isReplay { members.append(.init("is_replay", .bool(true))) }
    if output.format == .labels || output.chosen != nil {
      return RecordWriter.writeOne(.object(members), output, known: Outcome.recordNames)
    }
    var writer = RecordWriter(output, columns: members.map { $0.name })
    writer.write(.object(members))
    writer.finish()
  }
}
