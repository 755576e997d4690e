/// Lookups over several states of one entity's fields.
enum FieldStates {
  /// The names of all fields of some states, sorted, each once.
  static func names(_ states: Fields...) -> [FieldPath] {
    var names: [FieldPath] = []
    for name in states.flatMap({ $0.sorted.map(\.name) }).sorted() where names.last != name { names.append(name) }
    return names
  }

  /// The size of the canonical encoding, in bytes.
  static func encodedSize(_ fields: Fields) -> Int { fields.sorted.reduce(0) { $0 + CanonicalFields.encodedSize($1) } }
}
