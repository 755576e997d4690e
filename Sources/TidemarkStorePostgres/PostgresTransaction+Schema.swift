internal import TidemarkCore
internal import TidemarkPostgres
internal import TidemarkStore

extension PostgresTransaction {
  func insertSchema(_ schema: SchemaRecord, in space: SpaceID) throws {
    var parameters = Parameters(space)
    parameters.add(Int64(bitPattern: schema.version))
    parameters.add(schema.content)
    parameters.add(schema.appliedAt)
    parameters.add(schema.appliedBy.text)
    parameters.add(RowChecksum.of(schema, space: space))
    queue(.schemaInsert, parameters)
  }

  // MARK: Keys

  func moveKeys(released: [HeldKey], taken: [(HeldKey, EntityID)], in space: SpaceID) throws {
    for key in released {
      var parameters = Parameters(space)
      parameters.add(key.type.text)
      parameters.add(key.key.text)
      parameters.add(KeyValue.stored(key.value))
      queue(.keyRelease, parameters) { (rows) throws(StoreError) in
        guard rows.affected == 1 else { throw StoreError.corrupt("a key that is not held was to be released") }
      }
    }
    guard !taken.isEmpty else { return }
    var parameters = Parameters(taken.map { $0.0 }, in: space)
    parameters.add(.bytes, taken) { $0.put($1.1) }
    parameters.add(.bytes, taken) { if $1.0.value.count < KeyValue.bytesMax { $0.putNull() } else { $0.put($1.0.value) } }
    queue(.keyTake, parameters)
  }

  func releaseAllKeys(of type: TypeName, key: FieldPath, in space: SpaceID) throws {
    queue(.keyReleaseAll, parameters(type, key, in: space))
  }

  // MARK: References

  func moveReferences(released: [HeldReference], taken: [HeldReference], in space: SpaceID) throws {
    for reference in released {
      var parameters = Parameters(space)
      parameters.add(reference.target.type.text)
      parameters.add(Array(reference.target.id.text.utf8))
      parameters.add(reference.source.type.text)
      parameters.add(Array(reference.source.id.text.utf8))
      parameters.add(reference.field.text)
      queue(.referenceRelease, parameters) { (rows) throws(StoreError) in
        guard rows.affected == 1 else { throw StoreError.corrupt("a reference that is not there was to be removed") }
      }
    }
    if !taken.isEmpty { queue(.referenceTake, Parameters(taken, in: space)) }
  }

  func releaseAllReferences(of type: TypeName, field: FieldPath, in space: SpaceID) throws {
    queue(.referenceReleaseAll, parameters(type, field, in: space))
  }

  private func parameters(_ type: TypeName, _ path: FieldPath, in space: SpaceID) -> Parameters {
    var parameters = Parameters(space)
    parameters.add(type.text)
    parameters.add(path.text)
    return parameters
  }

  // MARK: Tokens and secrets

  func insertSecret(_ secret: [UInt8], named name: String) throws {
    var parameters = Parameters()
    parameters.add(name)
    parameters.add(secret)
    queue(.secretInsert, parameters)
  }

  func insertToken(_ token: TokenRecord) throws {
    // No row of a space is read on the way, which would say so.
    try checkFormat(run(.lowestFormat).first)
    var parameters = Parameters()
    parameters.add(token.id)
    parameters.add(token.secretHash)
    parameters.add(token.principal.text)
    parameters.add(token.roleEverywhere.map { Int16($0.rawValue) })
    parameters.add(token.createdAt)
    queue(.tokenInsert, parameters)
    queue(.tokenMarkMove, Parameters())
    guard !token.roles.isEmpty else { return }
    var roles = Parameters()
    roles.add(token.id)
    roles.add(.text, token.roles) { $0.put($1.key.text) }
    roles.add(.int16, token.roles) { $0.put(Int16($1.value.rawValue)) }
    queue(.tokenRoleInsert, roles)
  }

  func deleteToken(id: String) throws -> Bool {
    try checkFormat(run(.lowestFormat).first)
    var parameters = Parameters()
    parameters.add(id)
    queue(.tokenRoleDelete, parameters)
    queue(.tokenMarkMove, Parameters())
    return try run(.tokenDelete, parameters).affected == 1
  }
}
