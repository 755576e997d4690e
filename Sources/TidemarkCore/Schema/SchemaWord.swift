/// A choice within a schema that has a stable word, as people write it: `set_null`.
public protocol SchemaWord: CaseIterable, Sendable {}

extension SchemaWord {
  /// The name of the case, in lower case with underscores.
  public var word: String {
    "\(self)".reduce(into: "") { word, character in
      if character.isUppercase { word += "_" }
      word += character.lowercased()
    }
  }

  /// The choice that a word names; `nil` when there is none.
  public init?(word: String) {
    guard let choice = Self.allCases.first(where: { $0.word == word }) else { return nil }
    self = choice
  }

  /// All words, in the order of the choices.
  public static var words: [String] { allCases.map(\.word) }
}

extension MergeKind: SchemaWord {}
extension DeleteRule: SchemaWord {}
extension ConflictPolicy: SchemaWord {}
extension DeletePolicy: SchemaWord {}
