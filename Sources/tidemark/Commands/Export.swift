import ArgumentParser
import TidemarkClient
import TidemarkCore

/// Streams the entities of one type to standard output.
struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Export the entities of one type as JSON Lines or CSV, in bounded memory.",
    discussion: """
      JSON Lines keep everything: kinds that JSON cannot show are named beside the fields, and 'tidemark import' reads them \
      back. CSV has one column a field, and shows no difference between absent, null and empty. For CSV the entities are read \
      twice, the first time for the names of the columns, unless --columns names them.
      """)

  @Option(help: "The type of the entities.") var type: String
  @Option(help: "jsonl or csv.") var format = "jsonl"
  @Option(help: ArgumentHelp("The fields of a CSV file, in order.", valueName: "names")) var columns: String?
  @OptionGroup(title: "Server") var server: ServerOptions
  @Flag(help: "Report errors as JSON.") var json = false
  @Flag(help: "Show no progress bar.") var screenReader = false

  func run() async throws {
    let type = try Arguments.type(type)
    guard let format = FileFormat(rawValue: format) else { throw CommandFailure.usage("--format is jsonl or csv.") }
    var options = CallOptions()
    options.server = server
    options.output = try OutputOptions.parse(screenReader ? ["--screen-reader"] : [])
    try await options.run { session in
      let progress = Progress("entities", session.output)
      defer { progress.finish() }
      switch format {
      case .jsonl: try await exportLines(type, session, progress)
      case .csv: try await exportTable(type, session, progress)
      }
      StandardStream.output.flush()
    }
  }

  private func exportLines(_ type: TypeName, _ session: Session, _ progress: Progress) async throws {
    var count: UInt64 = 0
    for try await entity in session.space.list(type) {
      StandardStream.output.write(try entity.json().compact + "\n")
      count += 1
      progress.update(count: count, fraction: nil)
    }
  }

  private func exportTable(_ type: TypeName, _ session: Session, _ progress: Progress) async throws {
    let names = try await columnNames(type, session)
    StandardStream.output.write(CSVText.row(["id"] + names.map { $0.text }))
    var count: UInt64 = 0
    var missing: Set<FieldPath> = []
    for try await entity in session.space.list(type) {
      let fields = try entity.fields.decoded()
      StandardStream.output.write(CSVText.row([entity.key.id.text] + names.map { fields[$0]?.cellText ?? "" }))
      if columns == nil { missing.formUnion(fields.sorted.map { $0.name }.filter { !names.contains($0) }) }
      count += 1
      progress.update(count: count, fraction: nil)
    }
    guard missing.isEmpty else {
      progress.finish()
      let list = missing.map { $0.text }.sorted().joined(separator: ", ")
      session.note("While the export ran, somebody added fields that are not in it: \(list). Run it again to have them.")
      throw CommandFailure.told(.partlyDone)
    }
  }

  private func columnNames(_ type: TypeName, _ session: Session) async throws -> [FieldPath] {
    if let columns {
      return try columns.split(separator: ",").map { text throws(CommandFailure) in
        guard let path = FieldPath(text.trimmingBlanks) else { throw .usage("'\(text)' is no name of a field.") }
        return path
      }
    }
    var kinds: [FieldPath: Set<String>] = [:]
    for try await entity in session.space.list(type) {
      for field in try entity.fields.decoded().sorted { kinds[field.name, default: []].insert(field.value.kindName) }
    }
    let maps = kinds.sorted { $0.key < $1.key }.compactMap { name, found -> String? in
      let others = found.subtracting(["null"])
      guard others.count == 1, let kind = others.first, kind != "string" else { return nil }
      return "\(name):\(kind)"
    }
    if !maps.isEmpty { session.note("To import this file again with its kinds:  --map \(maps.joined(separator: ","))") }
    return kinds.keys.sorted()
  }
}

extension Value {
  /// The value as text in a CSV file, to be read back by `ValueKind.value(ofText:)`.
  var cellText: String {
    switch self {
    case .null: ""
    case .string(let text), .json(let text): text
    case .bool, .int, .double, .bytes, .timestamp, .list:
      switch json.value {
      case .string(let text): text
      case let other: other.compact
      }
    }
  }
}
