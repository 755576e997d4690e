import ArgumentParser
import Foundation
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Shows what was changed, by whom and when.
struct LogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Show the changes of a space in the order in which they were made.",
    usage: "tidemark log [<type> ...] [--where <field>=<value>] [--follow] [--new] [--cursor-file <file>] [options]",
    discussion: """
      Every change once: its revision, when, by whom, what, and the entity with the fields it had then. Changes whose history is no \
      longer kept are not shown.

      --follow goes on with each change as it is made, until it is interrupted. --cursor-file keeps the place in a file, so that the next \
      run goes on behind the last change that this one printed. A line is printed before its place is kept: after a crash the last ones may \
      come again, and none is left out.

      An entity that does not have the values of --where any more is shown once, with 'left'.
      """)

  static let names = ["revision", "at", "by", "change", "type", "id", "version"]
  private static let allNames =
    names + ["left", "manner", "operation_id", "edited_at", "goes_on", "truncated", "fields", "kinds"]

  @Argument(help: "Only these types.", completion: .types) var types: [String] = []
  @Option(name: .customLong("where"), help: "Only entities with this value of a field: as for 'create'. Needs one type.")
  var conditions: [String] = []
  @Flag(name: .shortAndLong, help: "Go on with each change as it is made.") var follow = false
  @Flag(help: "Begin now, not with the oldest change.") var new = false
  @Option(help: "Print at most this many changes.") var limit: Int?
  @Option(help: "Go on behind the place kept in this file, and keep the new one there.", completion: .file())
  var cursorFile: String?
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(LogCommand.allNames) { return }
    let filter = try makeFilter()
    if let limit, limit < 1 { throw CommandFailure.usage("--limit is 1 or more.") }
    let place = try cursorFile.map { path throws(CommandFailure) in try CursorFile(path) }
    try await options.run { session in
      var printer = LogPrinter(session.output, place, limit: limit)
      if follow {
        for try await page in session.space.watch(.changes, filter: filter, after: place?.cursor, start: new ? .now : .beginning)
        {
          if try printer.take(page, in: session) { break }
        }
      } else {
        var cursor = place?.cursor
        while true {
          let page = try await session.space.pull(
            .changes, filter: filter, after: cursor, start: new ? .now : .beginning,
            itemsMax: printer.left.map { min($0, Limits.itemsPerPageMax) })
          if try printer.take(page, in: session) || page.isCaughtUp { break }
          cursor = page.cursor
        }
      }
      printer.finish()
    }
  }

  private func makeFilter() throws(CommandFailure) -> FeedFilter {
    var fields: [Field] = []
    for condition in conditions {
      guard case .set(let name, let value) = try FieldArgument(condition) else {
        throw .usage("--where \(condition): compare with = or :=, as in --where room=A1.")
      }
      fields.append(Field(name, value))
    }
    guard fields.isEmpty || types.count == 1 else { throw .usage("--where needs the one type that it is about.") }
    var parts: [FeedFilter.TypeFilter] = []
    do {
      let equals = try Fields(fields)
      for type in types { parts.append(.init(type: try Arguments.type(type), equals: equals)) }
    } catch let failure as CommandFailure { throw failure } catch let violation as Violation {
      throw .usage(violation.message)
    } catch { throw .usage("\(error)") }
    do { return try FeedFilter(parts) } catch { throw .usage(error.message) }
  }
}

/// Prints pages of changes, and keeps the place behind what was printed.
private struct LogPrinter {
  private var writer: RecordWriter
  private let place: CursorFile?
  /// How many changes are still to be printed; `nil` for all.
  private(set) var left: Int?

  init(_ output: OutputOptions, _ place: CursorFile?, limit: Int?) {
    writer = RecordWriter(output, columns: LogCommand.names)
    self.place = place
    left = limit
  }

  /// Prints a page. True when that is all that was asked for.
  mutating func take(_ page: PullResponse, in session: Session) throws -> Bool {
    guard page.cursorState == .ok, let cursor = page.cursor else { throw page.cursorState.failure(place?.path) }
    var printed = 0
    for item in page.items where left != 0 {
      writer.write(try item.json())
      left = left.map { $0 - 1 }
      printed += 1
    }
    if !page.items.isEmpty { writer.flush() }
    // The place behind a page that was not printed whole would leave something out.
    if printed == page.items.count { try place?.keep(cursor) }
    return left == 0
  }

  mutating func finish() { writer.finish() }
}

/// A file with a cursor, as text.
private struct CursorFile {
  let path: String
  /// `nil` when there is no file yet.
  let cursor: [UInt8]?

  init(_ path: String) throws(CommandFailure) {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else {
      cursor = nil
      return
    }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let data = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)), !data.isEmpty
    else { throw .usage("'\(path)' holds no place of a log. Name another file, or remove it to begin anew.") }
    cursor = [UInt8](data)
  }

  func keep(_ cursor: [UInt8]) throws(CommandFailure) {
    do {
      try Data((Data(cursor).base64EncodedString() + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CommandFailure(.failed, "The place cannot be kept in '\(path)': \(error.localizedDescription)", code: "cursor_file")
    }
  }
}

extension CursorState {
  fileprivate func failure(_ path: String?) -> CommandFailure {
    let reason =
      switch self {
      case .ok: "The server gave no place to go on."
      case .epochChanged: "The space has another history now, for example after a restore from a backup."
      case .belowFloor: "The changes behind that place are no longer kept."
      case .filterChanged: "The place was kept for other types or another --where."
      case .rightsChanged: "Your rights are others than when the place was kept."
      }
    let advice = path.map { ["Remove '\($0)' to begin with the oldest change that is kept, or add --new to begin now."] } ?? []
    return CommandFailure(.failed, reason, code: "cursor_\(self)", advice: advice)
  }
}

extension FeedItem {
  fileprivate func json() throws(CorruptFields) -> JSON {
    let (fields, kinds) = try entity.fields.decoded().json
    var members: [JSON.Member] = [
      .init("revision", .int(entity.revision.rawValue)), .init("at", .string(TimeText.format(entity.updated.at))),
      .init("by", .string(entity.updated.by.text)), .init("change", .string(story.map { "\($0.kind)" } ?? "state")),
      .init("type", .string(entity.key.type.text)), .init("id", .string(entity.key.id.text)),
      .init("version", .int(entity.version.rawValue)),
    ]
    if hasLeft { members.append(.init("left", .bool(true))) }
    if let story {
      if story.manner != .plain { members.append(.init("manner", .string("\(story.manner)"))) }
      members.append(.init("operation_id", .string(story.operation.description)))
      if let editedAt = story.editedAt { members.append(.init("edited_at", .string(TimeText.format(editedAt)))) }
      if story.goesOn { members.append(.init("goes_on", .bool(true))) }
    }
    if isTruncated { members.append(.init("truncated", .bool(true))) }
    if !hasLeft && !isTruncated { members.append(.init("fields", fields)) }
    if let kinds { members.append(.init("kinds", kinds)) }
    return .object(members)
  }
}
