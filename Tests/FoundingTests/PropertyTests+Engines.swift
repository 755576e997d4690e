import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests.C6 {
  @Test(arguments: EngineUnderTest.all) func c6ConflictsAreLoggedWithoutFieldValues(engine: EngineUnderTest) throws {
    let world = try World(engine, seed: makeSeed(), arguments: ["--log-level", "trace"])
    let name = try #require(PrincipalName("night-clerk"))
    let token: CreateTokenResponse = try world.connect().get(
      .createToken, CreateTokenRequest(principal: Principal(name: name, roles: [world.space: .writer])))
    let client = try FramedConnection(port: world.daemon.port, token: token.secret)
    var secrets: [String] = []
    var told: [String] = []
    for index in 0..<FoundingTests.C6.cases(engine) {
      let secret = "s3cret-" + world.word()
      let expected = UInt64.random(in: 2...90, using: &world.random)
      _ = try client.write(world.create("vault", "v\(index)", [("code", .string(secret))]), in: world.space)
      let stale = try world.update("vault", "v\(index)", [("code", .string(secret + "x")), ("n", .int(7))], expected: expected)
      let isBulk = Bool.random(using: &world.random)
      let outcome = try isBulk ? world.bulk(client, [stale]).outcomes[0] : client.write(stale, in: world.space)
      #expect(outcome.code == .conflict)
      secrets.append(secret)
      told.append("expected=\(expected) id=v\(index) ")
    }
    #expect(world.daemon.terminate() == 0)
    world.daemon.waitForLog()
    let lines = world.daemon.log.split(separator: "\n").filter { $0.contains("a write was refused") }
    #expect(lines.count == FoundingTests.C6.cases(engine))
    for (line, told) in zip(lines, told) {
      let parts = ["actual=1 ", told, "outcome=conflict ", "principal=night-clerk ", "type=vault"]
      #expect(parts.allSatisfy { line.contains($0) }, "\(line)")
    }
    let log = world.daemon.log
    #expect(secrets.allSatisfy { !log.contains($0) } && !log.contains("s3cret"))
  }

  /// Every list of writes is answered by the daemons, whichever is asked, as by the engine in memory.
  @Test(arguments: EngineUnderTest.all) func c6EveryEngineBehavesTheSame(engine: EngineUnderTest) throws {
    let world = try World(engine, seed: makeSeed())
    let clients = try world.connect(2)
    let memory = try MemoryEngine(principal: try #require(PrincipalName("developer")))
    var versions: [String: UInt64] = [:]
    for number in 0..<FoundingTests.C6.cases(engine) {
      let items = try (0..<Int.random(in: 1...10, using: &world.random)).map { _ in try randomItem(world, versions) }
      let mode: BulkMode = number % 5 == 0 ? .atomic : .partial
      let client = clients[number % clients.count]
      let answers = try world.bulk(client, items, mode: mode, returnsEntities: true).outcomes
      let model = try memory.bulk(items, mode: mode)
      for (answer, model) in zip(answers, model) {
        #expect(answer.code == model.code, "case \(number)")
        // The story of a refused write is told from the state after the whole bulk.
        let isToldLater = answer.conflict != nil && answer.version ?? .first >= model.version ?? .first
        #expect(isToldLater || answer.version == model.version && answer.revision == model.revision, "case \(number)")
        #expect(answer.cause == model.cause && answer.violations == model.violations, "case \(number)")
        if answer.code.isSuccess { #expect(answer.entity?.fields == model.entity?.fields) }
        if let id = answer.id { versions[id.text] = answer.version?.rawValue ?? versions[id.text] }
      }
    }
    for client in clients { try world.expectSound(client) }
  }

  private func randomItem(_ world: World, _ versions: [String: UInt64]) throws -> WriteItem {
    let id = ["a", "b", "c", "é"].randomElement(using: &world.random) ?? "a"
    let known = versions[id] ?? 1
    let expected = Int.random(in: 0..<4, using: &world.random) == 0 ? known + 1 : known
    let action: WriteAction =
      switch Int.random(in: 0..<8, using: &world.random) {
      case 0: .create(try makeFields(world.fields()))
      case 1: .getOrCreate(try makeFields(world.fields()))
      case 2: .delete(.at(expected))
      case 3: .restore(.at(expected))
      case 4: .replace(try makeFields(world.fields()), .at(expected))
      case 5: try world.add("thing", id, "field0", .max, expected: expected).action
      default: try world.update("thing", id, world.fields(), expected: expected).action
      }
    var item = try world.item("thing", id, action)
    if Bool.random(using: &world.random) { item.group = ["x", "y"].randomElement(using: &world.random) }
    if item.action.expected != nil {
      item.onConflict = [.fail, .fail, .overwrite].randomElement(using: &world.random) ?? .fail
    }
    return item
  }
}
