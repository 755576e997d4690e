/// One fault of a schema itself, apart from any entity.
public struct SchemaProblem: Hashable, Sendable, CustomStringConvertible {
  /// The type; `nil` when the fault is of the schema as a whole.
  public var type: TypeName?
  /// The field; `nil` when the fault is of no single field.
  public var field: FieldPath?
  /// The unique key or index; `nil` when the fault is of no key.
  public var key: FieldPath?
  /// The rule in a stable word, for programs.
  public var rule: Rule
  /// A sentence for people.
  public var message: String

  public init(type: TypeName? = nil, field: FieldPath? = nil, key: FieldPath? = nil, rule: Rule, message: String) {
    self.type = type
    self.field = field
    self.key = key
    self.rule = rule
    self.message = message
  }

  /// The place and the sentence.
  public var description: String {
    let place = [type?.text, field?.text ?? key?.text].compactMap { $0 }.joined(separator: ": ")
    return place.isEmpty ? message : "\(place): \(message)"
  }

  /// What can be wrong with a schema. The words are stable.
  public enum Rule: String, Sendable, CaseIterable {
    case typesMax = "types_max"
    case partsMax = "parts_max"
    case bytesMax = "bytes_max"
    case typeDuplicate = "type_duplicate"
    case fieldsMax = "fields_max"
    case fieldDuplicate = "field_duplicate"
    case fieldOverlap = "field_overlap"
    case summaryLength = "summary_length"
    case keysMax = "keys_max"
    case keyName = "key_name"
    case keyDuplicate = "key_duplicate"
    case keyFieldsCount = "key_fields_count"
    case keyFieldDuplicate = "key_field_duplicate"
    case keyFieldUnknown = "key_field_unknown"
    case keyFieldType = "key_field_type"
    case enumType = "enum_type"
    case enumDuplicate = "enum_duplicate"
    case rangeType = "range_type"
    case rangeOrder = "range_order"
    case lengthType = "length_type"
    case lengthOrder = "length_order"
    case mergeType = "merge_type"
    case referenceType = "reference_type"
    case referenceTarget = "reference_target"
    case referenceSetNull = "reference_set_null"
    case defaultValue = "default"
    case valueLength = "value_length"
  }
}
