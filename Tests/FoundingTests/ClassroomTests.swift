import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension FoundingTests {
  /// A class of about 100, all at once.
  @Suite struct Classroom {
    private static let pupils = 100

    private func world(_ engine: EngineUnderTest, _ test: String = #function) throws -> World {
      try World(engine, schema: "classroom", seed: makeSeed("\(test) \(engine)"))
    }

    private func user(_ world: World, _ id: String) throws -> WriteItem {
      try world.create("user", id, [("login", .string(id))])
    }

    private func project(_ world: World, _ id: String, owner: String) throws -> WriteItem {
      try world.create("project", id, [("name", .string(id)), ("owner", .string(owner)), ("type", .string("scene"))])
    }

    /// Makes entities that must be possible.
    private func make(_ world: World, _ client: FramedConnection, _ items: [WriteItem]) throws {
      let outcomes = try world.bulk(client, items).outcomes
      try #require(outcomes.allSatisfy { $0.code == .applied }, "\(outcomes.filter { $0.code != .applied })")
    }

    @Test(arguments: EngineUnderTest.all) func e1OfAHundredUpdatesOfOneProjectExactlyOneWinsEachVersion(engine: EngineUnderTest)
      throws
    {
      let rounds: UInt64 = 20
      let world = try world(engine)
      let clients = try world.connect(Classroom.pupils)
      try make(world, clients[0], [user(world, "ann"), project(world, "p", owner: "ann")])
      for version in 1...rounds {
        let items = try clients.indices.map {
          try world.update("project", "p", [("code", .string("\($0) in \(version)"))], expected: version)
        }
        let outcomes = try world.race(clients, items)
        #expect(outcomes.count { $0.code == .applied } == 1)
        #expect(outcomes.allSatisfy { $0.version?.rawValue == version + 1 })
        let winner = try #require(outcomes.firstIndex { $0.code == .applied })
        #expect(try world.values(clients[0], "project", "p")[text: "code"] == .string("\(winner) in \(version)"))
        #expect(outcomes.indices.allSatisfy { $0 == winner || outcomes[$0].conflict?.current?.version.rawValue == version + 1 })
      }
      try world.expectSound(clients[0])
    }

    /// Everybody adds a line of their own, and tries again after each conflict: no line is lost.
    @Test(arguments: EngineUnderTest.all) func e1NothingIsLostWhenAHundredRefreshAndTryAgain(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let clients = try world.connect(Classroom.pupils)
      try make(
        world, clients[0],
        [
          user(world, "ann"), project(world, "p", owner: "ann"),
          world.create("group", "g", [("name", .string("g")), ("members", .list([]))]),
        ])
      try make(world, clients[0], clients.indices.map { try user(world, "u\($0)") })
      var waiting = Array(clients.indices)
      while !waiting.isEmpty {
        let group = try world.entity(clients[0], "group", "g")
        let members = try members(group)
        let items = try waiting.map { (number: Int) throws -> WriteItem in
          var item = try world.update(
            "group", "g", [("members", .list(members + [.string("u\(number)")]))], expected: group.version.rawValue)
          // Two of three let the server merge the set.
          if number % 3 != 0 || waiting.count < 20 { item.onConflict = .merge }
          return item
        }
        let outcomes = try world.race(waiting.map { clients[$0] }, items)
        #expect(outcomes.contains { $0.code.isSuccess })
        waiting = zip(waiting, outcomes).filter { !$0.1.code.isSuccess }.map(\.0)
      }
      let members = try members(world.entity(clients[0], "group", "g"))
      #expect(Set(members) == Set(clients.indices.map { .string("u\($0)") }) && members.count == Classroom.pupils)
    }

    private func members(_ group: Entity) throws -> [Scalar] {
      let value = try group.fields.decoded()[text: "members"]
      guard case .list(let members)? = value else { return try #require(nil, "\(String(describing: value))") }
      return members
    }

    @Test(arguments: EngineUnderTest.all) func e1DeletingRacesSafelyWithUpdatingAndSharing(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let clients = try world.connect(30)
      try make(world, clients[0], [user(world, "ann"), world.create("group", "g", [("name", .string("g"))])])
      for round in 0..<20 {
        let id = "p\(round)"
        try make(world, clients[0], [project(world, id, owner: "ann")])
        var items = try clients.indices.map { (number: Int) throws -> WriteItem in
          switch number % 3 {
          case 0: try world.delete("project", id, expected: 1)
          case 1: try world.update("project", id, [("code", .string("\(number)"))], expected: 1)
          default: try world.getOrCreate("share", "\(id)-\(number)", [("project", .string(id)), ("group", .string("g"))])
          }
        }
        items.shuffle(using: &world.random)
        let outcomes = try world.race(clients, items)
        let changes = zip(items, outcomes).filter { $0.0.type.text == "project" }
        #expect(changes.count { $0.1.code == .applied } == 1)
        #expect(changes.allSatisfy { [.applied, .conflict].contains($0.1.code) })
        let entity = try world.entity(clients[0], "project", id)
        #expect(entity.version.rawValue == 2)
        // Whoever shared it in time shares a project that is there, or went with it; whoever came late was refused.
        let shares = zip(items, outcomes).filter { $0.0.type.text == "share" }.map(\.1)
        #expect(shares.count { $0.code == .applied } <= 1)
        if entity.life == .alive {
          #expect(shares.allSatisfy { $0.code.isSuccess })
        } else {
          #expect(shares.allSatisfy { $0.code.isSuccess || $0.code == .referenceViolation })
          for share in shares where share.code.isSuccess {
            #expect(try world.entity(clients[0], "share", #require(share.id).text).life == .deleted)
          }
        }
      }
      try world.expectSound(clients[0])
    }

    @Test(arguments: EngineUnderTest.all) func e2AssetsAreUniqueByContentAndAllUploadersGetItsID(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let clients = try world.connect(Classroom.pupils)
      for round in 0..<10 {
        let md5 = String(repeating: "\(round)", count: 32)
        let items = try clients.indices.map { number in
          try world.getOrCreate(
            "asset", "asset-\(round)-\(number)",
            [("md5", .string(md5)), ("type", .string(number % 2 == 0 ? "image" : "sound")), ("size", .int(Int64(number)))])
        }
        let outcomes = try world.race(clients, items)
        for kind in 0..<2 {
          let same = outcomes.indices.filter { $0 % 2 == kind }.map { outcomes[$0] }
          #expect(same.count { $0.code == .applied } == 1)
          #expect(same.count { $0.code == .unchanged } == same.count - 1)
          #expect(Set(same.map(\.id)).count == 1 && same.allSatisfy { $0.entity == same[0].entity && $0.entity != nil })
        }
        #expect(outcomes[0].id != outcomes[1].id)
        #expect(try clients[0].space(world.space).aliveEntities == UInt64(round + 1) * 2)
      }
      try world.expectSound(clients[0])
    }

    @Test(arguments: EngineUnderTest.all) func e3SharingWithManyGroupsIsAtomicAndMakesNoDuplicates(engine: EngineUnderTest) throws
    {
      let groups = 40
      let world = try world(engine)
      let clients = try world.connect(10)
      try make(world, clients[0], [user(world, "ann"), project(world, "p", owner: "ann")])
      try make(world, clients[0], (0..<groups).map { try world.create("group", "g\($0)", [("name", .string("g\($0)"))]) })
      let before = try clients[0].space(world.space).aliveEntities
      let share = { (number: Int, group: String) in
        try world.getOrCreate("share", "s\(number)-\(group)", [("project", .string("p")), ("group", .string(group))])
      }
      // One of the groups is not there: nothing is shared.
      let all = try (0..<groups).map { try share(99, "g\($0)") } + [share(99, "nobody")]
      let refused = try world.bulk(clients[0], all, mode: .atomic).outcomes
      #expect(refused.last?.code == .referenceViolation && refused.dropLast().allSatisfy { $0.code == .aborted })
      #expect(try clients[0].space(world.space).aliveEntities == before)
      // Ten people share with overlapping groups, each in an order of their own.
      let streams = try clients.enumerated().map { number, client in
        let mine = (0..<groups).filter { $0 % 10 != number }.shuffled(using: &world.random)
        return try world.start(client, mine.map { try share(number, "g\($0)") }, mode: .atomic)
      }
      let answers = try zip(clients, streams).map { try world.outcomes($0, $1) }
      #expect(answers.allSatisfy { $0.allSatisfy { $0.code.isSuccess } })
      #expect(answers.joined().count { $0.code == .applied } == groups)
      #expect(Set(answers.joined().map(\.id)).count == groups)
      #expect(try clients[0].space(world.space).aliveEntities == before + UInt64(groups))
      try world.expectSound(clients[0])
    }

    @Test(arguments: EngineUnderTest.all) func e5ConcurrentSignInMakesEveryUserAndGroupOnce(engine: EngineUnderTest) throws {
      let world = try world(engine)
      let clients = try world.connect(Classroom.pupils)
      for round in 0..<10 {
        // Every sign-in makes the user and the group, and links them, in one bulk; ids are made by each device.
        let streams = try clients.enumerated().map { number, client in
          let login = "user\(round)-\(number % 5)"
          let user = try world.getOrCreate("user", "u\(round)-\(number)", [("login", .string(login))])
          let group = try world.getOrCreate("group", "g\(round)-\(number)", [("name", .string("class \(round)"))])
          return try world.start(client, [user, group], mode: .atomic)
        }
        let answers = try zip(clients, streams).map { try world.outcomes($0, $1) }
        #expect(answers.joined().allSatisfy { [.applied, .unchanged].contains($0.code) })
        for login in 0..<5 {
          let mine = answers.indices.filter { $0 % 5 == login }.map { answers[$0][0] }
          #expect(mine.count { $0.code == .applied } == 1 && Set(mine.map(\.id)).count == 1)
        }
        #expect(answers.count { $0[1].code == .applied } == 1 && Set(answers.map { $0[1].id }).count == 1)
        #expect(try clients[0].space(world.space).aliveEntities == UInt64(round + 1) * 6)
      }
      try world.expectSound(clients[0])
    }
  }
}
