defmodule Ambix.MCP.ConnectionTest do
  use ExUnit.Case, async: true

  import Ambix.Test.{MCPClient, Wait}
  import ExUnit.CaptureLog

  alias Ambix.MCP
  alias Ambix.MCP.{Connection, Outbox}
  alias Ambix.Test.{MCPFixture, MCPTools}

  defp tools(options \\ []),
    do: start([tools: MCPTools.all(), host: self(), instructions: "Use it."] ++ options)

  defp fixture, do: start(Keyword.delete(MCPFixture.options(:x), :name) |> Keyword.merge(at_once: 4))

  defp code(frame), do: frame["error"]["code"]
  defp text(frame), do: get_in(frame, ["result", "content", Access.at(0), "text"])

  # The process of the tool `wait` that was called.
  defp waiting do
    assert_receive {:waits, pid, progress}
    {pid, progress}
  end

  describe "eras" do
    test "each request decides, also on one connection" do
      client = tools()
      assert code(ask(client, 1, "tools/list", %{})) == -32_602
      modern = ask(client, 2, "tools/list", modern())["result"]
      assert %{"resultType" => "complete", "cacheScope" => "public", "ttlMs" => _} = modern
      assert modern["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "ambix"

      assert initialize(client)["result"]["protocolVersion"] == "2025-11-25"
      legacy = ask(client, 3, "tools/list", %{})["result"]
      assert Map.keys(legacy) == ["tools"]
      assert legacy["tools"] == modern["tools"]
      assert ask(client, 4, "tools/list", modern())["result"] == modern

      assert Enum.map(legacy["tools"], & &1["name"]) == ~w(echo crash wait slow)

      assert %{"title" => "Echo", "inputSchema" => %{"type" => "object"}, "outputSchema" => %{}} =
               hd(legacy["tools"])

      assert Enum.at(legacy["tools"], 0)["annotations"]["readOnlyHint"]
      refute Enum.at(legacy["tools"], 2)["annotations"]["readOnlyHint"]
      assert Enum.at(legacy["tools"], 3)["annotations"]["destructiveHint"]
    end

    test "instructions are in the replies of both" do
      client = tools()
      assert ask(client, 1, "server/discover", modern())["result"]["instructions"] == "Use it."
      assert initialize(client)["result"]["instructions"] == "Use it."
    end

    test "a method that is unknown, or of the other era, or of what is not offered, is answered at once" do
      client = tools()
      for params <- [%{}, modern()], do: assert(code(ask(client, 1, "no/such", params)) == -32_601)

      for method <- ~w(initialize ping logging/setLevel resources/subscribe resources/list prompts/get),
          do: assert(code(ask(client, method, method, modern())) == -32_601)

      assert ask(client, 2, "ping", %{})["result"] == %{}
      initialize(client)
      assert code(ask(client, 3, "subscriptions/listen", %{})) == -32_601
      assert code(ask(client, 4, "resources/list", %{})) == -32_601
      assert ask(client, 5, "logging/setLevel", %{"level" => "error"})["result"] == %{}

      for level <- ["loud", nil, 1, %{}],
          do: assert(code(ask(client, 6, "logging/setLevel", %{"level" => level})) == -32_602)
    end

    test "a missing resource has the code of its revision" do
      client = fixture()
      assert code(ask(client, 1, "resources/read", modern(%{"uri" => "test://none"}))) == -32_602
      initialize(client)
      assert code(ask(client, 2, "resources/read", %{"uri" => "test://none"})) == -32_002
    end
  end

  describe "tools" do
    test "answer with data and text" do
      client = tools()
      result = ask(client, 1, "tools/call", modern(tool("echo", %{"text" => "hi"})))["result"]
      assert result["structuredContent"] == %{"said" => "hi", "truncated" => false}
      assert result["content"] == [%{"type" => "text", "text" => "said hi"}]
      assert result["isError"] == false
    end

    test "what goes wrong in one is a result, and the server lives" do
      client = tools()

      capture_log(fn ->
        for how <- ~w(raise throw exit kill nonsense error) do
          frame = ask(client, how, "tools/call", modern(tool("crash", %{"how" => how})))
          assert frame["result"]["isError"]
          refute text(frame) =~ "secret"
        end
      end)

      # What a project prints, or a caller says, can be in an error.
      loud = text(ask(client, "loud", "tools/call", modern(tool("crash", %{"how" => "loud"}))))
      assert loud =~ "éé" and String.valid?(loud) and byte_size(loud) <= 2_000

      for arguments <- [%{}, %{"text" => 1}, %{"text" => "a", "b" => 1}],
          do: assert(ask(client, 1, "tools/call", modern(tool("echo", arguments)))["result"]["isError"])

      assert text(ask(client, 2, "tools/call", modern(tool("echo", %{"text" => "hi"})))) == "said hi"
    end

    test "calls that are none are faults" do
      client = tools()

      for params <- [
            %{},
            %{"name" => 1},
            %{"name" => "nothing"},
            %{"name" => "echo", "arguments" => []},
            %{"name" => "echo", "arguments" => "x"},
            %{"name" => "echo", "inputResponses" => 1},
            %{"name" => "echo", "inputResponses" => %{"a" => 1}},
            %{"name" => "echo", "requestState" => "forged"},
            %{"name" => "echo", "requestState" => 1}
          ] do
        assert code(ask(client, 1, "tools/call", modern(params))) == -32_602, inspect(params)
      end

      assert code(ask(client, 1, "tools/list", modern(%{"cursor" => "x"}))) == -32_602
    end

    test "that cannot be written as JSON ends nothing, whether an answer, a question or a task" do
      defmodule Unwritable do
        @behaviour Ambix.MCP.Tools
        def list(_), do: []
        def call("answer", _, _, _), do: {:result, %{"a" => self()}}

        def call("question", _, _, _),
          do: {:input, %{"q" => %{"method" => "x", "params" => %{"a" => <<255>>}}}, nil}

        def call("task", _, _, _), do: {:task, fn _ -> {:result, %{"a" => {1}}} end}

        def call("asking", _, _, _),
          do: {:task, fn _ -> {:input, %{"q" => %{"method" => "x", "params" => {1}}}, nil} end}
      end

      client = start(features: {Unwritable, nil})

      capture_log(fn ->
        for name <- ["answer", "question"],
            do: assert(code(ask(client, 1, "tools/call", modern(tool(name)))) == -32_603)

        initialize(client)

        for name <- ["answer", "question"],
            do: assert(code(ask(client, 1, "tools/call", tool(name))) == -32_603)

        for name <- ["task", "asking"] do
          task = ask(client, 1, "tools/call", modern(tool(name), tasks()))["result"]["taskId"]
          get = fn -> ask(client, 2, "tasks/get", modern(%{"taskId" => task}, tasks()))["result"] end
          wait_until(fn -> get.()["status"] == "failed" end)
          assert get.()["error"]["code"] == -32_603
        end
      end)
    end

    test "a bug of what offers them is a fault without its text" do
      defmodule Broken do
        @behaviour Ambix.MCP.Tools
        def list(_), do: raise("a secret")
        def call(_, _, _, _), do: {:result, %{"bad" => <<255>>}}
      end

      client = start(features: {Broken, nil})

      log =
        capture_log(fn ->
          assert code(ask(client, 1, "tools/list", modern())) == -32_603
          assert code(ask(client, 2, "tools/call", modern(tool("x")))) == -32_603
        end)

      refute log =~ "secret"
      assert ask(client, 3, "server/discover", modern())["result"]
    end
  end

  describe "many requests" do
    test "200 at once are answered, though not more than the bound work" do
      client = tools(at_once: 8)
      for id <- 1..200, do: request(client, id, "tools/call", modern(tool("wait")))

      first = for _ <- 1..8, do: waiting()
      refute_receive {:waits, _, _}, 50
      for {pid, _} <- first, do: send(pid, {:go, "done"})

      for _ <- 1..192 do
        {pid, _} = waiting()
        send(pid, {:go, "done"})
      end

      frames = for _ <- 1..200, do: next(client)
      assert Enum.sort(Enum.map(frames, & &1["id"])) == Enum.to_list(1..200)
      assert Enum.all?(frames, &(text(&1) == "done"))
    end

    test "beyond the queue there is an error, and quick ones pass by" do
      client = tools(at_once: 1, waiting: 2)
      for id <- 1..4, do: request(client, id, "tools/call", modern(tool("wait")))
      assert code(next(client)) == -31_001
      assert ask(client, 5, "server/discover", modern())["result"]

      for _ <- 1..3 do
        {pid, _} = waiting()
        send(pid, {:go, "done"})
        assert text(next(client)) == "done"
      end
    end

    test "an id is used again only when its request is answered" do
      client = tools()
      request(client, 1, "tools/call", modern(tool("wait")))
      {pid, _} = waiting()
      assert code(ask(client, 1, "server/discover", modern())) == -32_600
      assert ask(client, "1", "server/discover", modern())["result"]
      send(pid, {:go, "done"})
      assert text(next(client)) == "done"
      assert ask(client, 1, "server/discover", modern())["result"]
    end

    @tag timeout: 300_000
    test "memory is flat over 10 000 calls" do
      client = tools()

      params = modern(tool("echo", %{"text" => "x"}))

      calls = fn count ->
        for _ <- 1..div(count, 100) do
          for id <- 1..100, do: request(client, id, "tools/call", params)
          for _ <- 1..100, do: assert(text(next(client)) == "said x")
        end
      end

      server = MCP.server(client.name)

      processes = [
        client.connection | Enum.map([server.gate, server.tasks, server.registry], &Process.whereis/1)
      ]

      measure = fn ->
        for pid <- processes, do: :erlang.garbage_collect(pid)
        {length(Process.list()), Enum.sum(for pid <- processes, do: pid |> Process.info(:memory) |> elem(1))}
      end

      calls.(500)
      {count, memory} = measure.()
      calls.(10_000)
      # The processes of the last call may still be ending, and other tests have theirs.
      {count_after, memory_after} = measure.()
      assert memory_after < memory + 200_000
      assert count_after < count + 100
      state = :sys.get_state(client.connection)
      assert {state.requests, state.pids, state.asks} == {%{}, %{}, %{}}
    end
  end

  describe "cancelled" do
    test "requests end, and nothing is sent for them any more" do
      client = tools(at_once: 1)

      for id <- 1..3,
          do: request(client, id, "tools/call", modern(tool("wait"), %{}, %{"progressToken" => id}))

      {pid, _} = waiting()
      monitor = Process.monitor(pid)
      # One that waits and one that works.
      notify(client, "notifications/cancelled", %{"requestId" => 2})
      notify(client, "notifications/cancelled", %{"requestId" => 1, "reason" => "enough"})
      assert_receive {:DOWN, ^monitor, :process, _, _}
      {third, progress} = waiting()
      progress.(%{phase: :a, done: 1, total: 2})
      assert next(client)["params"]["progressToken"] == 3
      send(third, {:go, "third"})
      assert %{"id" => 3} = next(client)
      refute_receive {Outbox, _, _}, 50
    end

    test "is passed over for what is not there" do
      client = tools()

      for params <- [%{}, %{"requestId" => 1}, %{"requestId" => %{}}, %{"requestId" => nil}],
          do: notify(client, "notifications/cancelled", params)

      notify(client, "notifications/nothing", %{})
      assert ask(client, 1, "server/discover", modern())["result"]
    end

    test "is everything when the connection ends" do
      client = tools()
      request(client, 1, "tools/call", modern(tool("wait")))
      {pid, _} = waiting()
      monitor = Process.monitor(pid)
      Process.exit(client.connection, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, _}
    end

    test "is what nobody can read the answer of" do
      client = tools()
      reader = spawn(fn -> receive(do: (:never -> :ok)) end)

      {:ok, frame} =
        Ambix.MCP.Frame.decode(
          ~s({"jsonrpc":"2.0","id":1,"method":"tools/call","params":#{Ambix.JSON.encode!(modern(tool("wait")))}})
        )

      Connection.deliver(client.connection, frame, Outbox.new(reader))
      {pid, _} = waiting()
      monitor = Process.monitor(pid)
      Process.exit(reader, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, _}
      assert ask(client, 1, "server/discover", modern())["result"]
    end
  end

  describe "progress" do
    test "is told to those that ask for it, and rises" do
      client = tools()
      request(client, 1, "tools/call", modern(tool("wait"), %{}, %{"progressToken" => "t"}))
      {pid, progress} = waiting()

      for done <- [1, 3, 2] do
        progress.(%{phase: :a, done: done, total: 3})
        Process.sleep(30)
      end

      send(pid, {:go, "done"})
      frames = for _ <- 1..3, do: next(client)

      assert [%{"method" => "notifications/progress", "params" => one}, %{"params" => two}, %{"id" => 1}] =
               frames

      assert {one["progress"], two["progress"], two["total"], two["progressToken"]} == {1, 3, 3, "t"}
    end

    test "that makes no sense does no harm" do
      client = tools()
      request(client, 1, "tools/call", modern(tool("wait"), %{}, %{"progressToken" => "t"}))
      {pid, progress} = waiting()

      for event <- [
            1,
            nil,
            [],
            %{},
            %{phase: {:a, self()}, done: "x", total: :all},
            %{phase: <<255>>, done: -1}
          ] do
        progress.(event)
        Process.sleep(30)
      end

      send(pid, {:go, "done"})
      assert %{"method" => "notifications/progress", "params" => %{"progress" => 0}} = next(client)
      assert next(client)["id"] == 1
    end

    test "is not told to others" do
      client = tools()
      request(client, 1, "tools/call", modern(tool("wait")))
      assert {pid, nil} = waiting()
      send(pid, {:go, "done"})
      assert next(client)["id"] == 1
    end
  end

  describe "questions to the client" do
    @elicitation %{"elicitation" => %{}}
    @reply %{"user_name" => %{"action" => "accept", "content" => %{"name" => "Ada"}}}
    @name "test_input_required_result_elicitation"

    test "are a result of a modern request, which comes again with the answers" do
      client = fixture()
      result = ask(client, 1, "tools/call", modern(tool(@name), @elicitation))["result"]
      assert result["resultType"] == "input_required"
      assert %{"user_name" => %{"method" => "elicitation/create"}} = result["inputRequests"]
      refute is_map_key(result, "ttlMs")

      again = Map.put(tool(@name), "inputResponses", @reply)
      assert text(ask(client, 2, "tools/call", modern(again, @elicitation))) == "Hello, Ada!"
    end

    test "are requests to a legacy client, on the way of the request" do
      client = fixture()
      initialize(client, "2025-06-18", @elicitation)
      request(client, 1, "tools/call", tool(@name))
      assert %{"method" => "elicitation/create", "id" => id, "params" => %{"message" => _}} = next(client)
      # Others are served meanwhile.
      assert ask(client, 2, "ping", %{})["result"] == %{}
      send_frame(client, %{id: "unknown", result: %{}})
      send_frame(client, %{id: id, result: @reply["user_name"]})
      assert text(next(client)) == "Hello, Ada!"
      # Nobody waits for it any more.
      send_frame(client, %{id: id, result: %{}})
      assert ask(client, 3, "ping", %{})["result"] == %{}
    end

    test "are not put to a client that cannot be asked" do
      client = fixture()
      frame = ask(client, 1, "tools/call", modern(tool(@name)))
      assert code(frame) == -32_021
      assert frame["error"]["data"] == %{"requiredCapabilities" => %{"elicitation" => %{}}}
      initialize(client)
      assert code(ask(client, 2, "tools/call", tool(@name))) == -32_021
    end

    test "are forgotten when their request is cancelled" do
      client = fixture()
      initialize(client, "2025-06-18", @elicitation)
      request(client, 1, "tools/call", tool(@name))
      assert %{"id" => id} = next(client)
      notify(client, "notifications/cancelled", %{"requestId" => 1})
      send_frame(client, %{id: id, result: @reply["user_name"]})
      assert ask(client, 2, "ping", %{})["result"] == %{}
      assert :sys.get_state(client.connection).asks == %{}
    end

    test "state of one request is none of another" do
      client = fixture()
      name = "test_input_required_result_request_state"
      state = ask(client, 1, "tools/call", modern(tool(name), @elicitation))["result"]["requestState"]
      again = Map.merge(tool(name), %{"requestState" => state, "inputResponses" => %{"confirm" => %{}}})
      assert text(ask(client, 2, "tools/call", modern(again, @elicitation))) =~ "state-ok"
      other = %{again | "name" => "test_input_required_result_tampered_state"}
      assert code(ask(client, 3, "tools/call", modern(other, @elicitation))) == -32_602

      assert code(ask(client, 4, "tools/call", modern(%{again | "arguments" => %{"a" => 1}}, @elicitation))) ==
               -32_602
    end
  end

  describe "tasks" do
    defp task(client, id, method, task, more \\ %{}),
      do: ask(client, id, method, modern(Map.put(more, "taskId", task), tasks()))

    test "a long tool is one for a client that knows tasks, and waits for its end for others" do
      client = tools()
      created = ask(client, 1, "tools/call", modern(tool("slow"), tasks()))["result"]
      assert %{"resultType" => "task", "taskId" => task, "status" => "working", "ttlMs" => _} = created
      {pid, progress} = waiting()
      assert task(client, 2, "tasks/get", task)["result"]["status"] == "working"
      progress.(%{phase: :try, done: 1, total: 4})

      wait_until(fn -> task(client, 3, "tasks/get", task)["result"]["statusMessage"] == "try: 1 of 4" end)
      send(pid, {:go, "mended"})
      wait_until(fn -> task(client, 4, "tasks/get", task)["result"]["status"] == "completed" end)
      result = task(client, 5, "tasks/get", task)["result"]
      assert result["resultType"] == "complete"
      assert get_in(result, ["result", "content", Access.at(0), "text"]) == "mended"

      request(client, 6, "tools/call", modern(tool("slow")))
      {pid, _} = waiting()
      send(pid, {:go, "now"})
      assert text(next(client)) == "now"
    end

    test "is killed when it is cancelled, which can be said again" do
      client = tools()
      task = ask(client, 1, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]
      {pid, _} = waiting()
      monitor = Process.monitor(pid)
      for id <- 2..3, do: assert(task(client, id, "tasks/cancel", task)["result"]["resultType"] == "complete")
      assert_receive {:DOWN, ^monitor, :process, _, _}
      assert task(client, 4, "tasks/get", task)["result"]["status"] == "cancelled"
    end

    test "is not seen without its id or the capability" do
      client = tools()
      task = ask(client, 1, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]

      for method <- ~w(tasks/get tasks/update tasks/cancel) do
        more = %{"inputResponses" => %{}}
        assert code(task(client, 2, method, "guess", more)) == -32_602
        assert code(task(client, 3, method, 1, more)) == -32_602
        assert code(ask(client, 4, method, modern(Map.put(more, "taskId", task)))) == -32_021
      end

      assert code(task(client, 5, "tasks/update", task, %{"inputResponses" => 1})) == -32_602
      assert code(ask(client, 6, "tasks/list", modern(%{}, tasks()))) == -32_601
    end

    test "lives on without the connection, for a bounded time, and not too many do" do
      client = tools(tasks: 2, kept_tasks: 3, task_ttl: 60_000)
      ids = for n <- 1..2, do: ask(client, n, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]
      assert code(ask(client, 3, "tools/call", modern(tool("slow"), tasks()))) == -31_001
      pids = for _ <- 1..2, do: elem(waiting(), 0)
      Process.exit(client.connection, :kill)
      other = connect(client.name)
      assert task(other, 4, "tasks/get", hd(ids))["result"]["status"] == "working"
      for pid <- pids, do: send(pid, {:go, "done"})

      for id <- ids,
          do: wait_until(fn -> task(other, 5, "tasks/get", id)["result"]["status"] == "completed" end)

      # The one that ended first, whichever that was, goes for a new one.
      for n <- 6..7 do
        assert ask(other, n, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]
        {pid, _} = waiting()
        send(pid, {:go, "done"})
      end

      assert [-32_602, nil] = ids |> Enum.map(&code(task(other, 8, "tasks/get", &1))) |> Enum.sort()
    end

    test "is gone after its time" do
      client = tools(task_ttl: 100)
      task = ask(client, 1, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]
      wait_until(fn -> code(task(client, 2, "tasks/get", task)) == -32_602 end)

      # It may not even have begun.
      receive do
        {:waits, pid, _} -> wait_until(fn -> not Process.alive?(pid) end)
      after
        0 -> :ok
      end
    end
  end

  describe "changes" do
    test "are told to those that listen, of what they listen to, by their subscription" do
      client = fixture()

      filter = %{
        "toolsListChanged" => true,
        "promptsListChanged" => false,
        "resourceSubscriptions" => ["test://a"]
      }

      acknowledged = listen(client, "sub", filter)
      assert acknowledged == %{"toolsListChanged" => true, "resourceSubscriptions" => ["test://a"]}

      for change <- [:prompts, {:resource, "test://b"}, :tools, {:resource, "test://a"}],
          do: MCP.changed(client.name, change)

      assert %{"method" => "notifications/tools/list_changed", "params" => params} = next(client)
      assert params["_meta"] == %{"io.modelcontextprotocol/subscriptionId" => "sub"}

      assert %{"method" => "notifications/resources/updated", "params" => %{"uri" => "test://a"}} =
               next(client)

      notify(client, "notifications/cancelled", %{"requestId" => "sub"})
      assert ask(client, 1, "server/discover", modern())["result"]
      MCP.changed(client.name, :tools)
      refute_receive {Outbox, _, _}, 50
    end

    test "of tasks are told too" do
      client = tools()
      task = ask(client, 1, "tools/call", modern(tool("slow"), tasks()))["result"]["taskId"]
      {pid, _} = waiting()

      request(
        client,
        2,
        "subscriptions/listen",
        modern(%{"notifications" => %{"taskIds" => [task]}}, tasks())
      )

      assert next(client)["params"]["notifications"] == %{"taskIds" => [task]}
      send(pid, {:go, "done"})

      assert %{"method" => "notifications/tasks", "params" => %{"status" => "completed", "result" => %{}}} =
               next(client)

      request(client, 3, "subscriptions/listen", modern(%{"notifications" => %{"taskIds" => [task]}}))
      assert code(next(client)) == -32_021
    end

    test "that are not announced are not acknowledged, and filters are checked" do
      client = tools()
      assert listen(client, 1, %{"toolsListChanged" => true, "resourceSubscriptions" => ["a"]}) == %{}

      for notifications <- [1, [], %{"resourceSubscriptions" => 1}, %{"taskIds" => [1]}],
          do:
            assert(
              code(ask(client, 2, "subscriptions/listen", modern(%{"notifications" => notifications}))) ==
                -32_602
            )
    end

    test "of lists come to legacy clients by themselves, and of a resource when they subscribe" do
      client = fixture()
      capabilities = initialize(client)["result"]["capabilities"]
      assert capabilities["resources"] == %{"listChanged" => true, "subscribe" => true}
      MCP.changed(client.name, {:resource, "test://a"})
      MCP.changed(client.name, :tools)

      assert next(client) == %{
               "jsonrpc" => "2.0",
               "method" => "notifications/tools/list_changed",
               "params" => %{}
             }

      assert ask(client, 1, "resources/subscribe", %{"uri" => "test://a"})["result"] == %{}
      MCP.changed(client.name, {:resource, "test://a"})
      assert next(client)["params"] == %{"uri" => "test://a"}
      assert ask(client, 2, "resources/unsubscribe", %{"uri" => "test://a"})["result"] == %{}
      assert code(ask(client, 3, "resources/subscribe", %{"uri" => 1})) == -32_602
      MCP.changed(client.name, {:resource, "test://a"})
      refute_receive {Outbox, _, _}, 50
    end

    defp listen(client, id, filter) do
      request(client, id, "subscriptions/listen", modern(%{"notifications" => filter}))
      frame = next(client)
      assert frame["method"] == "notifications/subscriptions/acknowledged"
      frame["params"]["notifications"]
    end
  end

  describe "hostile input" do
    test "is answered, and the server lives" do
      client = fixture()
      random = :rand.seed_s(:exsss, {1, 2, 3})

      values = [
        nil,
        true,
        0,
        -1,
        1.5,
        "",
        "x",
        [],
        %{},
        [[]],
        %{"_meta" => %{}},
        String.duplicate("y", 10_000)
      ]

      methods =
        ~w(initialize ping tools/list tools/call resources/read resources/subscribe prompts/get completion/complete
        logging/setLevel subscriptions/listen tasks/get tasks/update server/discover x)

      keys =
        ~w(name arguments uri level notifications taskId inputResponses requestState ref argument protocolVersion
        capabilities cursor _meta)

      capture_log(fn ->
        Enum.reduce(1..1500, random, fn id, random ->
          {method, random} = pick(methods, random)
          {key, random} = pick(keys, random)
          {value, random} = pick(values, random)
          {era, random} = pick([:modern, :legacy], random)
          params = if era == :modern, do: Map.merge(modern(), %{key => value}), else: %{key => value}
          request(client, id, method, params)
          # Some at a time, each of which has one answer.
          if rem(id, 100) == 0, do: for(_ <- 1..100, do: assert(is_map(next(client))))
          random
        end)
      end)

      assert ask(client, "end", "server/discover", modern())["result"]
    end

    defp pick(list, random) do
      {n, random} = :rand.uniform_s(length(list), random)
      {Enum.at(list, n - 1), random}
    end
  end
end
