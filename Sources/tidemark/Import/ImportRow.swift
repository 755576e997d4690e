import TidemarkCore

/// One row of a file, as far as it could be read.
struct ImportRow: Sendable {
  /// What it asks for.
  struct Content: Equatable, Sendable {
    var id: EntityID
    /// The fields that have a value.
    var fields: Fields
    /// The fields whose cells are empty.
    var cleared: [FieldPath]
  }

  /// Why a row cannot be imported.
  struct Problem: Error, Equatable {
    var what: String
  }

  /// The line on which it begins, from 1.
  var line: Int
  /// The id as the file says it.
  var idText: String?
  var content: Result<Content, Problem>
  /// The row as it stands in the file, for `--rejects`.
  var source: Source

  enum Source: Sendable {
    case cells([String])
    case object([JSON.Member])
    case text(String)
  }
}

/// Makes rows of a CSV file: knows the header, the id column and the mapping.
struct CSVRowMaker {
  let header: [String]
  private let idColumn: Int
  private let targets: [ColumnMap.Target]

  init(header: [String], idColumn name: String, map: ColumnMap) throws(CommandFailure) {
    self.header = header
    var seen: Set<String> = []
    for column in header where !seen.insert(column).inserted { throw .usage("The file has two columns '\(column)'.") }
    guard let index = header.firstIndex(of: name) else {
      var advice = ["It has: \(header.joined(separator: ", "))", "Say which column holds the ids:  --id-column NAME"]
      if header.count == 1, let mark = [";", "\t"].first(where: { header[0].contains($0) }) {
        advice = ["Columns are parted by commas, and here by \(mark == ";" ? "semicolons" : "tabs"): write the file so."]
      }
      throw .usage("The file has no column '\(name)' for the ids.", advice: advice)
    }
    idColumn = index
    for column in map.targets.keys.sorted() where !seen.contains(column) {
      throw .usage("The file has no column '\(column)'.", advice: ["It has: \(header.joined(separator: ", "))"])
    }
    var targets: [ColumnMap.Target] = []
    var paths: [FieldPath] = []
    for column in header {
      let isPlainID = column == name && map.targets[column] == nil
      let target = isPlainID ? .skip : try map.target(of: column)
      targets.append(target)
      guard case .field(let path, _) = target else { continue }
      if let other = paths.first(where: { $0.overlaps(path) }) {
        throw .usage("The fields '\(other)' and '\(path)' exclude each other.", advice: ["Rename one with --column, or skip it."])
      }
      paths.append(path)
    }
    self.targets = targets
  }

  func make(_ row: CSVParser.Row) -> ImportRow {
    let idText = idColumn < row.cells.count ? row.cells[idColumn] : nil
    let content = Result { () throws(ImportRow.Problem) in try read(row.cells) }
    return ImportRow(line: row.line, idText: idText, content: content, source: .cells(row.cells))
  }

  private func read(_ cells: [String]) throws(ImportRow.Problem) -> ImportRow.Content {
    guard cells.count == header.count else {
      throw ImportRow.Problem(what: "the row has \(cells.count) cells, and the header \(header.count)")
    }
    guard let id = EntityID(cells[idColumn]) else { throw .badID }
    var fields: [Field] = []
    var cleared: [FieldPath] = []
    for (index, target) in targets.enumerated() {
      guard case .field(let path, let kind) = target else { continue }
      if cells[index].isEmpty {
        cleared.append(path)
        continue
      }
      do {
        fields.append(Field(path, try kind.value(ofText: cells[index])))
      } catch {
        throw ImportRow.Problem(what: "column '\(header[index])': \(error.what)")
      }
    }
    return ImportRow.Content(id: id, fields: try Fields(importing: fields), cleared: cleared)
  }
}

/// Makes rows of JSON Lines: a flat object, or one as `export` writes it, with `fields` and `kinds`.
struct JSONRowMaker {
  let idName: String
  let map: ColumnMap

  func make(_ line: LineSplitter.Line) -> ImportRow {
    let document: JSON
    do {
      document = try JSONParser.parse(line.bytes)
    } catch {
      return unread(line, "\(error)")
    }
    return make(document, line: line.number)
  }

  /// Makes a row of a document that is read already.
  func make(_ document: JSON, line: Int) -> ImportRow {
    guard case .object(let members) = document else {
      let problem = ImportRow.Problem(what: "the line is no JSON object")
      return ImportRow(line: line, idText: nil, content: .failure(problem), source: .text(document.compact))
    }
    let id: String? =
      switch document[idName] {
      case .string(let text), .number(let text): text
      default: nil
      }
    let content = Result { () throws(ImportRow.Problem) in try read(document, members, id) }
    return ImportRow(line: line, idText: id, content: content, source: .object(members))
  }

  private func unread(_ line: LineSplitter.Line, _ what: String) -> ImportRow {
    let text = String(decoding: line.bytes, as: UTF8.self)
    let what = text.trimmingBlanks.hasPrefix("[") ? "\(what): one object a line is expected, and no list around them" : what
    return ImportRow(line: line.number, idText: nil, content: .failure(ImportRow.Problem(what: what)), source: .text(text))
  }

  private func read(_ document: JSON, _ members: [JSON.Member], _ idText: String?) throws(ImportRow.Problem) -> ImportRow.Content
  {
    guard let id = idText.flatMap({ EntityID($0) }) else { throw .badID }
    var values = members.filter {
      $0.name != idName && !$0.name.hasPrefix(ColumnMap.rejectPrefix)
        && (!map.reserved.contains($0.name) || map.targets[$0.name] != nil)
    }
    var kinds: JSON?
    // An exported entity: what stands beside `fields` is metadata.
    if case .object(let inner)? = document["fields"] {
      values = inner
      kinds = document["kinds"]
    }
    var fields: [Field] = []
    for member in values {
      guard let (path, kind) = try target(of: member, kinds) else { continue }
      do {
        fields.append(Field(path, try Value(member.value, kind: kind)))
      } catch {
        throw ImportRow.Problem(what: "'\(member.name)': \(error.what)")
      }
    }
    return ImportRow.Content(id: id, fields: try Fields(importing: fields), cleared: [])
  }

  private func target(of member: JSON.Member, _ kinds: JSON?) throws(ImportRow.Problem) -> (FieldPath, JSON?)? {
    switch map.targets[member.name] {
    case .skip: return nil
    case .field(let path, let kind): return (path, .string(kind.rawValue))
    case nil:
      guard let path = FieldPath(member.name) else { throw ImportRow.Problem(what: "'\(member.name)' is no name of a field") }
      return (path, kinds?[member.name])
    }
  }
}

extension ImportRow.Problem {
  fileprivate static let badID = ImportRow.Problem(what: "the id is missing, longer than 128 bytes, or has control characters")
}

extension Fields {
  fileprivate init(importing fields: [Field]) throws(ImportRow.Problem) {
    do {
      try self.init(fields)
    } catch {
      throw ImportRow.Problem(what: error.message)
    }
  }
}
