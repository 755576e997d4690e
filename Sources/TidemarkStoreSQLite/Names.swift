internal import TidemarkCore
internal import TidemarkSQLite
internal import TidemarkStore

/// A text that rows of a space refer to by number.
protocol InternedName: Hashable {
  /// The `kind` column of the table `name`.
  static var kind: Int64 { get }
  init?(_ text: String)
  var text: String { get }
}

extension TypeName: InternedName {
  static var kind: Int64 { 1 }
}

extension PrincipalName: InternedName {
  static var kind: Int64 { 2 }
}

/// Names of fields, and of unique keys.
extension FieldPath: InternedName {
  static var kind: Int64 { 3 }
}

/// The numbers of the names of one kind, and the names of the numbers, through a bounded cache.
///
/// A name keeps its number as long as its space lives, and the number of a space is never reused, so nothing in the cache becomes
/// false by a commit. A rollback takes numbers back: then `forgetAll`.
final class Names<Name: InternedName> {
  private struct ByName: Hashable {
    var space: SpaceID
    var name: Name
  }

  private struct ByNumber: Hashable {
    var space: SpaceID
    var number: Int64
  }

  private static var entriesMax: Int { 8_192 }

  private let statements: Statements
  private var numbers: [ByName: Int64] = [:]
  private var names: [ByNumber: Name] = [:]
  /// The latest answers: rows that follow each other mostly have the same names.
  private var latestNumber: (key: ByName, number: Int64)?
  private var latestName: (key: ByNumber, name: Name)?

  init(_ statements: Statements) { self.statements = statements }

  /// The number of a name; `nil` when the space never used it.
  func number(of name: Name, in space: SpaceID) throws -> Int64? {
    let key = ByName(space: space, name: name)
    if let latestNumber, latestNumber.key == key { return latestNumber.number }
    if let number = numbers[key] {
      latestNumber = (key, number)
      return number
    }
    let statement = try statements[.nameNumber]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(Name.kind, at: 2)
    statement.bind(name.text, at: 3)
    guard try statement.step() else { return nil }
    let number = statement.integer(at: 0)
    remember(number, key)
    return number
  }

  /// The number of a name, which is given one when it has none.
  func makeNumber(of name: Name, in space: SpaceID) throws -> Int64 {
    if let number = try number(of: name, in: space) { return number }
    let statement = try statements[.nameInsert]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(Name.kind, at: 2)
    statement.bind(name.text, at: 3)
    guard try statement.step() else { throw StoreError.corrupt("a name was given no number") }
    let number = statement.integer(at: 0)
    // The row is inserted for certain only when the statement has ended.
    while try statement.step() {}
    remember(number, ByName(space: space, name: name))
    return number
  }

  /// The name of a number; `nil` when there is none, or it is damaged.
  func name(of number: Int64, in space: SpaceID) throws -> Name? {
    let key = ByNumber(space: space, number: number)
    if let latestName, latestName.key == key { return latestName.name }
    if let name = names[key] {
      latestName = (key, name)
      return name
    }
    let statement = try statements[.nameText]
    defer { statement.reset() }
    statement.bind(Int64(space.rawValue), at: 1)
    statement.bind(Name.kind, at: 2)
    statement.bind(number, at: 3)
    guard try statement.step(), let name = statement.text(at: 0).flatMap({ Name($0) }) else { return nil }
    makeRoom()
    names[key] = name
    return name
  }

  func forgetAll() {
    numbers.removeAll()
    names.removeAll()
    latestNumber = nil
    latestName = nil
  }

  private func remember(_ number: Int64, _ key: ByName) {
    makeRoom()
    numbers[key] = number
  }

  private func makeRoom() {
    if numbers.count + names.count >= Self.entriesMax { forgetAll() }
  }
}
