import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Manages spaces.
struct SpaceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "space", abstract: "Manage spaces.", subcommands: [SpaceList.self, SpaceCreate.self, SpaceDelete.self])
}

struct SpaceList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the spaces you may read.")

  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(SpaceDescription.recordNames) { return }
    try await options.run { session in
      let spaces = try await session.client.listSpaces()
      var writer = RecordWriter(session.output, columns: SpaceDescription.recordNames)
      for space in spaces { writer.write(space.json) }
      writer.finish()
    }
  }
}

struct SpaceCreate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make a space. Needs the role admin on all spaces.")

  @Argument var name: String
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(SpaceDescription.recordNames) { return }
    let name = try Arguments.space(name)
    try await options.run { session in
      let space = try await session.client.createSpace(name)
      var writer = RecordWriter(session.output, columns: SpaceDescription.recordNames)
      guard session.output.format == .table else { return RecordWriter.writeOne(space.json, session.output) }
      writer.write(space.json)
      writer.finish()
    }
  }
}

struct SpaceDelete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete a space with everything in it, for good. Needs the role admin on all spaces.",
    discussion:
      "Name the space twice: tidemark space delete hotel --confirm=hotel. A space that changes meanwhile is not deleted.")

  @Argument var name: String
  @Option(help: "The name once more.") var confirm: String?
  @Option(help: "The latest revision you saw; read just before when it is not given.") var expectedRevision: UInt64?
  @OptionGroup var options: CallOptions

  func run() async throws {
    let name = try Arguments.space(name)
    guard confirm == nil || confirm == name.text else {
      throw CommandFailure.usage("--confirm says '\(confirm ?? "")', and the space is '\(name)'. Nothing was done.")
    }
    if confirm == nil, !Terminal.isInputTerminal || !Terminal.isErrorTerminal || options.server.noInput {
      throw CommandFailure.usage("Deleting a space cannot be taken back: say --confirm=\(name).")
    }
    try await options.run { session in
      let space = try await session.client.space(name).describe()
      if confirm == nil {
        let question = "The space '\(name)' with \(space.aliveEntities) entities and its whole history will be gone for good."
        guard Terminal.confirm(question, word: name.text) else { throw CommandFailure(.failed, "Nothing was done.") }
      }
      let expected = expectedRevision.map { Revision(rawValue: $0) } ?? space.revision
      let revision = try await session.client.deleteSpace(name, expected: expected)
      let record = JSON.object([
        .init("name", .string(name.text)), .init("revision", .int(revision.rawValue)), .init("is_deleted", .bool(true)),
      ])
      guard session.output.format == .table else { return RecordWriter.writeOne(record, session.output) }
      session.note("The space '\(name)' is deleted. Its last revision was \(revision).")
    }
  }
}
