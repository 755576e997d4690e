import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

private let entityNote = "The fields of an entity can be chosen by their names, too."

/// Reads one entity.
struct Get: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one entity.", discussion: "Exits with 1 when there is no such entity.")

  @Argument(completion: .types) var type: String
  @Argument var id: String
  @Flag(help: "Show a deleted entity, too.") var includeDeleted = false
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Entity.recordNames, note: entityNote) { return }
    let key = EntityKey(type: try Arguments.type(type), id: try Arguments.id(id))
    try await options.run { session in
      guard let found = try await session.space.get(key.type, key.id, includeDeleted: includeDeleted) else {
        throw CommandFailure(
          .failed, "There is no \(key.type) '\(key.id)' in the space '\(session.target.space)'.", code: "not_found",
          advice: includeDeleted ? [] : ["Either it never was, or it is deleted: --include-deleted shows it then."])
      }
      RecordWriter.writeOne(try found.entity.json(), session.output, spread: "fields", known: Entity.recordNames)
    }
  }
}

/// Makes an entity.
struct Create: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an entity.",
    usage: "tidemark create <type> [<id>] [<field> ...] [options]",
    discussion: """
      Fields: \(FieldArgument.help).

      Without an id the server makes one. An id that looks like a field is given by --id.
      """)

  @Argument(completion: .types) var type: String
  @Argument(help: "The id, then the fields.") var rest: [String] = []
  @Option(help: "The id, when it looks like a field.") var id: String?
  @OptionGroup var write: WriteOptions
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Outcome.recordNames) { return }
    let type = try Arguments.type(type)
    var arguments = rest[...]
    var idText = id
    if idText == nil, let first = arguments.first, !FieldArgument.isLikely(first) { idText = arguments.popFirst() }
    let entityID = try idText.map { text throws(CommandFailure) in try Arguments.id(text) }
    let fields = try Fields(arguments: Array(arguments))
    let operation = try Arguments.operation(write.operation)
    try await options.run { session in
      try WriteReport.finish(try await session.space.create(type, entityID, fields, operation: operation), session)
    }
  }
}

/// Changes some fields.
struct PatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patch",
    abstract: "Change some fields of an entity.",
    usage: "tidemark patch <type> <id> <field> ... --expected <version> [options]",
    discussion: "Fields: \(FieldArgument.help), name+=1 (add), name! (remove).")

  @Argument(completion: .types) var type: String
  @Argument var id: String
  @Argument(help: "What to change.") var changes: [String]
  @OptionGroup var expected: ExpectedOptions
  @OptionGroup var write: WriteOptions
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Outcome.recordNames) { return }
    try expected.check("patch", type, id)
    let key = EntityKey(type: try Arguments.type(type), id: try Arguments.id(id))
    let patch = try Patch(arguments: changes)
    let operation = try Arguments.operation(write.operation)
    try await options.run { session in
      let seen = try await expected.resolve(session, key)
      let outcome = try await session.space.update(key.type, key.id, patch, expected: seen, operation: operation)
      try WriteReport.finish(outcome, session)
    }
  }
}

/// Hides an entity.
struct Delete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Delete an entity. It can be restored.",
    usage: "tidemark delete <type> <id> --expected <version> [--yes] [options]")

  @Argument(completion: .types) var type: String
  @Argument var id: String
  @Flag(help: "Do not ask.") var yes = false
  @OptionGroup var expected: ExpectedOptions
  @OptionGroup var write: WriteOptions
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Outcome.recordNames) { return }
    try expected.check("delete", type, id)
    let key = EntityKey(type: try Arguments.type(type), id: try Arguments.id(id))
    let operation = try Arguments.operation(write.operation)
    try options.confirm("The \(key.type) '\(key.id)' will be deleted.", isConfirmed: yes)
    try await options.run { session in
      let seen = try await expected.resolve(session, key)
      let outcome = try await session.space.delete(key.type, key.id, expected: seen, operation: operation)
      try WriteReport.finish(outcome, session, unchanged: "is deleted already")
    }
  }
}

/// Brings a deleted entity back.
struct Restore: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring a deleted entity back with the fields it had.",
    usage: "tidemark restore <type> <id> --expected <version> [options]")

  @Argument(completion: .types) var type: String
  @Argument var id: String
  @OptionGroup var expected: ExpectedOptions
  @OptionGroup var write: WriteOptions
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Outcome.recordNames) { return }
    try expected.check("restore", type, id)
    let key = EntityKey(type: try Arguments.type(type), id: try Arguments.id(id))
    let operation = try Arguments.operation(write.operation)
    try await options.run { session in
      let seen = try await expected.resolve(session, key)
      let outcome = try await session.space.restore(key.type, key.id, expected: seen, operation: operation)
      try WriteReport.finish(outcome, session, unchanged: "is not deleted")
    }
  }
}

/// Streams the entities of one type.
struct List: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the entities of one type, sorted by id.",
    discussion: "Streams in bounded memory, however many there are.")

  @Argument(completion: .types) var type: String
  @Option(help: "Only ids above this one.") var after: String?
  @Option(help: "At most this many.") var limit: Int?
  @Option(help: "Deleted entities: exclude, include or only.") var deleted = "exclude"
  @OptionGroup var options: CallOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit is at least 1.") }
  }

  func run() async throws {
    if options.output.listsFields(Entity.recordNames, note: entityNote) { return }
    let type = try Arguments.type(type)
    let after = try after.map { text throws(CommandFailure) in try Arguments.id(text) }
    let choices: [String: ListRequest.Deleted] = ["exclude": .exclude, "include": .include, "only": .only]
    guard let filter = choices[deleted] else { throw CommandFailure.usage("--deleted is exclude, include or only.") }
    let columns =
      filter == .exclude
      ? ["id", "version", "updated_at", "updated_by"] : ["id", "version", "state", "updated_at", "updated_by"]
    try await options.run { session in
      var writer = RecordWriter(session.output, columns: columns, spread: "fields", known: Entity.recordNames)
      for try await entity in session.space.list(type, after: after, limit: limit, deleted: filter) {
        writer.write(try entity.json())
      }
      writer.finish()
      if writer.isEmpty { session.note(emptyHint(type, session)) }
    }
  }

  /// Nothing may be what there is, or what was mistyped.
  private func emptyHint(_ type: TypeName, _ session: Session) -> String {
    let which = deleted == "exclude" ? "" : deleted == "only" ? "deleted " : "alive or deleted "
    let above = after.map { " with an id above '\($0)'" } ?? ""
    return "There is no \(which)entity of the type '\(type)'\(above) in the space '\(session.target.space)'."
      + (deleted == "exclude" ? " Is the type spelled right? Deleted ones are listed by --deleted include." : "")
  }
}
