import TidemarkCore

/// One write of a bulk file, as far as it could be read.
struct BulkRow: Sendable {
  /// The line on which it begins, from 1.
  var line: Int
  /// The type and the id as the file says them, for messages; empty when it does not.
  var type: String
  var id: String
  /// The word for what is asked, for example `update`; empty when the line cannot be read.
  var operation: String
  /// The write that is taken back; `nil` for a row of a file.
  var undone: OperationID?
  /// The write, with its operation id.
  var content: Result<WriteItem, ImportRow.Problem>
  /// Names the write whatever its policy for conflicts is: the same row has the same name in every run.
  var name: OperationID?
  /// The row as it stands in the file.
  var source: ImportRow.Source

  /// The label of the neighbours it succeeds or fails with.
  var group: String? {
    guard case .success(let item) = content else { return unreadGroup }
    return item.group
  }

  /// Where it stands and what it asks, as far as that is known: `line 3  update room '7'`.
  var place: String {
    if id.isEmpty, let undone { return "\(operation) \(undone)" }
    var words = [operation, type].filter { !$0.isEmpty }
    if !id.isEmpty { words.append("'\(id)'") }
    return words.isEmpty ? "line \(line)" : "line \(line)  " + words.joined(separator: " ")
  }

  /// Whether it stands in no file.
  var isPlain: Bool {
    if case .text("") = source { true } else { false }
  }

  /// The label of a row that could not be read.
  var unreadGroup: String?
}

/// The words for what a row asks.
enum BulkOperation: String, CaseIterable {
  case create
  case getOrCreate = "get_or_create"
  case update
  case replace
  case delete
  case restore

  var needsVersion: Bool {
    switch self {
    case .create, .getOrCreate: false
    case .update, .replace, .delete, .restore: true
    }
  }

  var hasFields: Bool {
    switch self {
    case .create, .getOrCreate, .update, .replace: true
    case .delete, .restore: false
    }
  }

  init(_ action: WriteAction) {
    self =
      switch action {
      case .create: .create
      case .getOrCreate: .getOrCreate
      case .update: .update
      case .replace: .replace
      case .delete: .delete
      case .restore: .restore
      }
  }
}

/// What holds for a whole bulk.
struct BulkOptions: Sendable {
  var space: SpaceName
  /// The type of rows that name none.
  var type: TypeName?
  var mode = BulkMode.partial
  var onConflict = OnConflict.fail
  var validatesOnly = false
  /// Tells runs of the same file apart; empty for the first and only one.
  var run = ""
}

/// Makes writes of the rows of a file: knows the columns that say what is asked, and gives operation ids that come from the content.
struct BulkRowMaker {
  /// The columns, and members of flat JSON rows, that are no fields.
  static let reserved: Set<String> = ["type", "version", "operation", "group", "unset", "increment"]

  let options: BulkOptions
  private var seen: [OperationID: Int] = [:]

  init(options: BulkOptions) { self.options = options }

  /// - Parameter header: of a CSV file.
  mutating func make(_ row: ImportRow, header: [String]?) -> BulkRow {
    let words = Words(row.source, header)
    if case .text = row.source, case .failure(let problem) = row.content {
      return BulkRow(line: row.line, type: "", id: "", operation: "", content: .failure(problem), source: row.source)
    }
    let operation = words["operation"] ?? (words["version"] == nil ? "create" : "update")
    var made = BulkRow(
      line: row.line, type: words["type"] ?? options.type?.text ?? "", id: row.idText ?? "", operation: operation,
      content: .failure(ImportRow.Problem(what: "")), source: row.source, unreadGroup: words["group"])
    made.content = Result { () throws(ImportRow.Problem) in try read(row, words, operation, &made) }
    return made
  }

  private mutating func read(
    _ row: ImportRow, _ words: Words, _ word: String, _ made: inout BulkRow
  ) throws(ImportRow.Problem) -> WriteItem {
    if case .object(let members) = row.source, BulkHistory.isLine(members) {
      throw ImportRow.Problem(what: "this is a line of results, not a row; 'tidemark bulk retry' sends failed rows again")
    }
    let content = try row.content.get()
    guard let operation = BulkOperation(rawValue: word) else {
      let known = BulkOperation.allCases.map(\.rawValue)
      let list = "; there is: \(known.joined(separator: ", "))"
      let near = Spelling.nearest(word, known).first.map { "; is '\($0)' meant?" } ?? list
      throw ImportRow.Problem(what: "there is no operation '\(word)'\(near)")
    }
    guard let type = words["type"].map({ TypeName($0) }) ?? options.type else {
      throw ImportRow.Problem(
        what: words["type"].map { "'\($0)' is no type" } ?? "no type is given: in a column 'type', or by --type")
    }
    let expected = try BulkRowMaker.expected(words["version"], operation)
    let item = WriteItem(
      operation: OperationName.none, type: type, id: content.id, action: try action(operation, content, words, expected),
      onConflict: .fail, group: words["group"])
    let (name, id) = self.name(item)
    made.name = name
    var final = item
    final.operation = id
    final.onConflict = operation.needsVersion ? options.onConflict : .fail
    // A merge is for updates and replaces; whoever deletes or restores decides against the version that was seen.
    if options.onConflict == .merge, operation == .delete || operation == .restore { final.onConflict = .fail }
    return final
  }

  private static func expected(_ text: String?, _ operation: BulkOperation) throws(ImportRow.Problem) -> Expected {
    guard operation.needsVersion else { return Expected(version: .first) }
    guard let text else {
      throw ImportRow.Problem(what: "\(operation.rawValue) needs the version that was seen, in a column 'version'")
    }
    guard let number = UInt64(text), number > 0 else { throw ImportRow.Problem(what: "'\(text)' is no version") }
    return Expected(version: EntityVersion(rawValue: number))
  }

  private func action(
    _ operation: BulkOperation, _ content: ImportRow.Content, _ words: Words, _ expected: Expected
  ) throws(ImportRow.Problem) -> WriteAction {
    switch operation {
    case .create: return .create(content.fields)
    case .getOrCreate: return .getOrCreate(content.fields)
    case .replace: return .replace(content.fields, expected)
    case .delete: return .delete(expected)
    case .restore: return .restore(expected)
    case .update:
      var entries = content.fields.sorted.map { Patch.Entry($0.name, .set($0.value)) }
      entries += content.cleared.map { Patch.Entry($0, .unset) }
      entries += try words.unset().map { Patch.Entry($0, .unset) }
      entries += try words.increments()
      do { return .update(try Patch(entries), expected) } catch { throw ImportRow.Problem(what: error.message) }
    }
  }

  /// The name of a write, and the operation id of this attempt. A row that stands in the file twice is two writes.
  private mutating func name(_ item: WriteItem) -> (OperationID, OperationID) {
    let first = OperationName.bulk(item, space: options.space, run: options.run, occurrence: 0)
    let occurrence = seen[first, default: 0]
    seen[first] = occurrence + 1
    let name = occurrence == 0 ? first : OperationName.bulk(item, space: options.space, run: options.run, occurrence: occurrence)
    return (name, options.onConflict == .fail ? name : OperationName.policy(options.onConflict, of: name))
  }
}

/// What a row says besides its fields.
private struct Words {
  private var texts: [String: String] = [:]
  private var members: [String: JSON] = [:]

  init(_ source: ImportRow.Source, _ header: [String]?) {
    switch source {
    case .cells(let cells):
      for (name, cell) in zip(header ?? [], cells) where BulkRowMaker.reserved.contains(name) && !cell.isEmpty {
        texts[name] = cell.trimmingBlanks
      }
    case .object(let list):
      for member in list where BulkRowMaker.reserved.contains(member.name) {
        members[member.name] = member.value
        switch member.value {
        case .string(let text) where !text.isEmpty: texts[member.name] = text
        case .number(let text): texts[member.name] = text
        default: break
        }
      }
    case .text: break
    }
  }

  subscript(name: String) -> String? { texts[name] }

  /// `"unset": ["a", "b"]` of a JSON row; in CSV an empty cell says so.
  func unset() throws(ImportRow.Problem) -> [FieldPath] {
    guard let value = members["unset"] else { return [] }
    guard case .array(let names) = value else { throw ImportRow.Problem(what: "'unset' is a list of names of fields") }
    var paths: [FieldPath] = []
    for name in names {
      guard let path = name.string.flatMap({ FieldPath($0) }) else {
        throw ImportRow.Problem(what: "'unset' is a list of names of fields")
      }
      paths.append(path)
    }
    return paths
  }

  /// `"increment": {"seats": 1}` of a JSON row.
  func increments() throws(ImportRow.Problem) -> [Patch.Entry] {
    guard let value = members["increment"] else { return [] }
    let problem = ImportRow.Problem(what: "'increment' is an object of fields and numbers")
    guard case .object(let list) = value else { throw problem }
    var entries: [Patch.Entry] = []
    for member in list {
      guard let path = FieldPath(member.name), case .number(let text) = member.value else { throw problem }
      if let whole = Int64(text) {
        entries.append(Patch.Entry(path, .incrementInt(whole)))
      } else if let number = Double(text), number.isFinite {
        entries.append(Patch.Entry(path, .incrementDouble(bits: number.bitPattern)))
      } else {
        throw problem
      }
    }
    return entries
  }
}

extension WriteItem {
  /// The write as a JSON row that reads back as it is.
  ///
  /// - Parameter version: the version to name in place of its own.
  func json(version: EntityVersion? = nil) -> JSON {
    let operation = BulkOperation(action)
    var members: [JSON.Member] = [
      .init("operation", .string(operation.rawValue)), .init("type", .string(type.text)), .init("id", .text(id?.text)),
    ]
    if let seen = action.expected { members.append(.init("version", .int((version ?? seen.version).rawValue))) }
    if let group { members.append(.init("group", .string(group))) }
    switch action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _): WriteItem.append(fields, to: &members)
    case .delete, .restore: WriteItem.append(Fields(), to: &members)
    case .update(let patch, _):
      var fields = Fields()
      var unset: [JSON] = []
      var increments: [JSON.Member] = []
      for entry in patch.entries {
        switch entry.operation {
        case .set(let value): fields.set(entry.name, value)
        case .unset: unset.append(.string(entry.name.text))
        case .incrementInt(let amount): increments.append(.init(entry.name.text, .int(amount)))
        case .incrementDouble(let bits):
          increments.append(.init(entry.name.text, .number(Double(bitPattern: bits).description)))
        }
      }
      WriteItem.append(fields, to: &members)
      if !unset.isEmpty { members.append(.init("unset", .array(unset))) }
      if !increments.isEmpty { members.append(.init("increment", .object(increments))) }
    }
    return .object(members)
  }

  private static func append(_ fields: Fields, to members: inout [JSON.Member]) {
    let (values, kinds) = fields.json
    members.append(.init("fields", values))
    if let kinds { members.append(.init("kinds", kinds)) }
  }

  /// What the write wants a field to be, for people; `nil` when it does not speak of it.
  func wanted(_ name: FieldPath) -> String? {
    switch action {
    case .create(let fields), .getOrCreate(let fields), .replace(let fields, _): return ConflictText.show(fields[name])
    case .delete: return "(deleted)"
    case .restore: return nil
    case .update(let patch, _):
      guard let entry = patch.entries.first(where: { $0.name.overlaps(name) }) else { return nil }
      switch entry.operation {
      case .set(let value): return ConflictText.show(value)
      case .unset: return "(absent)"
      case .incrementInt(let amount): return "\(amount < 0 ? "" : "+")\(amount)"
      case .incrementDouble(let bits):
        let amount = Double(bitPattern: bits)
        return "\(amount < 0 ? "" : "+")\(amount)"
      }
    }
  }
}
