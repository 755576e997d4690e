import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Manages the schema of a space.
struct SchemaCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Show, compare, apply and roll back the schema of a space.",
    discussion: """
      Schemas are YAML files, or binary protobuf messages tidemark.v1.Schema in files named .pb or .binpb; Examples/schemas \
      holds whole ones. Changing one needs the role admin on the space.
      """,
    subcommands: [SchemaShow.self, SchemaDiffCommand.self, SchemaApply.self, SchemaRollback.self])
}

struct SchemaShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Print the schema of the space as YAML or protobuf.",
    discussion: """
      The first line of YAML names the version, so that applying an edited copy is checked against it; with protobuf it is told \
      on standard error. Exits with 1 when there is none.
      """)

  @Option(help: "An earlier version in place of the one in force.") var version: UInt64?
  @Option(help: "The form to print.") var format = SchemaFormat.yaml
  @OptionGroup var server: ServerOptions

  func run() async throws {
    if format == .protobuf, Terminal.isOutputTerminal {
      throw CommandFailure.usage("A protobuf message is no text for a terminal: write it to a file, with > FILE.binpb.")
    }
    try await CallOptions.run(server) { session in
      guard let found = try await session.space.getSchema(version: version) else {
        throw CommandFailure(
          .failed, "The space '\(session.target.space)' has no schema\(version.map { " of version \($0)" } ?? "").",
          code: "not_found", advice: ["Entities of any form are taken. To apply one: tidemark schema apply FILE.yaml"])
      }
      switch format {
      case .yaml: StandardStream.output.write(SchemaFile.text(found, session.target.space))
      case .protobuf:
        let bytes: [UInt8]
        do { bytes = try found.schema.encode() } catch {
          throw CommandFailure(.failed, "The schema cannot be encoded: it is too large.")
        }
        StandardStream.output.write(bytes)
        session.note(
          "Version \(found.version). To apply an edited copy: tidemark schema apply FILE.binpb --expected \(found.version)")
      }
      StandardStream.output.flush()
    }
  }
}

struct SchemaDiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Tell what a schema would change, and which entities stand in its way.",
    discussion: "Nothing is changed. Exits with 3 when it would be refused, with 5 when it was made from another version.")

  @Argument(help: "The schema, in YAML or protobuf; '-' is standard input.", completion: .file()) var file: String
  @Option(help: "Its form; by the name of the file when it is not given: protobuf for .pb and .binpb, yaml otherwise.")
  var format: SchemaFormat?
  @Flag(help: "As if breaking changes were allowed.") var allowBreaking = false
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(SchemaReport.columns) { return }
    let (schema, version) = try SchemaFile.read(file, format)
    try await options.run { session in
      let current = try await session.space.getSchema()?.version ?? 0
      let answer = try await session.space.applySchema(
        schema, expectedVersion: version ?? current, validatesOnly: true, allowsBreaking: allowBreaking)
      try SchemaReport.show(answer, session)
      try SchemaReport.conclude(answer, expected: version ?? current, allowsBreaking: allowBreaking)
    }
  }
}

struct SchemaApply: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Bring a schema into force, after all that exists was checked against it.",
    discussion: """
      It is checked against the version that the first line of the file names, as 'tidemark schema show' writes it, or against \
      --expected; without either, against the one in force, after its differences were shown and you agreed. Exits with 5 when \
      another version is in force, with 3 when it was refused.
      """)

  @Argument(help: "The schema, in YAML or protobuf; '-' is standard input.", completion: .file()) var file: String
  @Option(help: "Its form; by the name of the file when it is not given: protobuf for .pb and .binpb, yaml otherwise.")
  var format: SchemaFormat?
  @Option(help: "The version it was made from; 0 for none.") var expected: UInt64?
  @Flag(help: "Apply it although it breaks programs or data.") var allowBreaking = false
  @Flag(help: "Do not ask.") var yes = false
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(SchemaReport.columns) { return }
    let (schema, version) = try SchemaFile.read(file, format)
    try await options.run { session in
      var seen = expected ?? version
      if seen == nil {
        let current = try await session.space.getSchema()?.version ?? 0
        seen = current
        if !yes {
          let told = try await session.space.applySchema(
            schema, expectedVersion: current, validatesOnly: true, allowsBreaking: allowBreaking)
          session.note(SchemaReport.text(told))
          let question = "It will replace version \(current) of the space '\(session.target.space)'."
          try options.confirm(question, isConfirmed: false)
        }
      }
      let answer = try await session.space.applySchema(schema, expectedVersion: seen ?? 0, allowsBreaking: allowBreaking)
      try SchemaReport.show(answer, session)
      try SchemaReport.conclude(answer, expected: seen ?? 0, allowsBreaking: allowBreaking)
      session.note("Version \(answer.version) is in force.")
    }
  }
}

struct SchemaRollback: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Bring an earlier schema back into force, as a new version.",
    usage: "tidemark schema rollback --expected <version> [--to <version>] [--validate-only] [options]")

  @Option(help: "The version whose content is wanted; the one before by default.") var to: UInt64?
  @Option(help: "The version in force, as 'tidemark schema show' tells it.") var expected: UInt64
  @Flag(help: "Only tell what would happen.") var validateOnly = false
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(SchemaReport.columns) { return }
    try await options.run { session in
      let answer = try await session.space.rollbackSchema(to: to, expectedVersion: expected, validatesOnly: validateOnly).result
      try SchemaReport.show(answer, session)
      try SchemaReport.conclude(answer, expected: expected, allowsBreaking: true)
      if answer.isApplied { session.note("Version \(answer.version) is in force.") }
    }
  }
}

/// Tells what became of a schema.
enum SchemaReport {
  static let columns = ["compatibility", "type", "field", "kind", "message"]

  /// Ends the command when another version is in force, or when something stands in the way.
  static func conclude(_ answer: ApplySchemaResponse, expected: UInt64, allowsBreaking: Bool) throws(CommandFailure) {
    guard !answer.isApplied else { return }
    if answer.version != expected { throw .told(.conflict) }
    let isRefused = !answer.problems.isEmpty || answer.offendingEntities > 0 || !answer.message.isEmpty
    let breaks = !allowsBreaking && answer.changes.contains { $0.compatibility == .breaking }
    if isRefused || breaks { throw .told(.partlyDone) }
  }

  static func show(_ answer: ApplySchemaResponse, _ session: Session) throws {
    if session.output.json {
      StandardStream.output.write(json(answer).pretty + "\n")
    } else {
      var writer = RecordWriter(session.output, columns: columns)
      for change in answer.changes { writer.write(json(change)) }
      writer.finish()
    }
    StandardStream.output.flush()
    let rest = remarks(answer)
    if !rest.isEmpty { session.note(rest.joined(separator: "\n")) }
  }

  /// Everything in lines, for a question.
  static func text(_ answer: ApplySchemaResponse) -> String {
    (answer.changes.map { "\($0.compatibility.word)  \($0)" } + remarks(answer)).joined(separator: "\n")
  }

  private static func remarks(_ answer: ApplySchemaResponse) -> [String] {
    var lines = answer.problems.map { "problem: " + ($0.field.map { "\($0): " } ?? "") + $0.message }
    if answer.changes.isEmpty, answer.problems.isEmpty, answer.message.isEmpty { lines.append("Nothing differs.") }
    for offender in answer.offenders.prefix(20) {
      let why = offender.violations.map { ($0.field.map { "\($0): " } ?? "") + $0.message }.joined(separator: "; ")
      lines.append("\(offender.key.type) '\(offender.key.id)' at version \(offender.version): \(why)")
    }
    if answer.checkedEntities > 0 {
      lines.append("\(answer.checkedEntities) entities were checked, \(answer.offendingEntities) break a new rule.")
    }
    if !answer.message.isEmpty { lines.append(answer.message) }
    if answer.changes.contains(where: { $0.compatibility == .breaking }), !answer.isApplied {
      lines.append("To apply breaking changes all the same: --allow-breaking")
    }
    return lines
  }

  private static func json(_ change: SchemaChange) -> JSON {
    .object([
      .init("compatibility", .string(change.compatibility.word)), .init("type", .text(change.type?.text)),
      .init("field", .text(change.field?.text ?? change.key?.text)), .init("kind", .string(change.kind.rawValue)),
      .init("message", .string(change.message)),
    ])
  }

  private static func json(_ answer: ApplySchemaResponse) -> JSON {
    .object([
      .init("is_applied", .bool(answer.isApplied)), .init("version", .int(answer.version)),
      .init("changes", .array(answer.changes.map { json($0) })),
      .init("problems", .array(answer.problems.map { $0.json })),
      .init("checked_entities", .int(answer.checkedEntities)), .init("offending_entities", .int(answer.offendingEntities)),
      .init(
        "offenders",
        .array(
          answer.offenders.map { offender in
            .object([
              .init("type", .string(offender.key.type.text)), .init("id", .string(offender.key.id.text)),
              .init("version", .int(offender.version.rawValue)),
              .init("violations", .array(offender.violations.map { $0.json })),
            ])
          })), .init("message", .string(answer.message)),
    ])
  }
}

extension SchemaChange.Compatibility {
  fileprivate var word: String {
    switch self {
    case .compatible: "compatible"
    case .needsCheck: "needs_check"
    case .breaking: "breaking"
    }
  }
}
