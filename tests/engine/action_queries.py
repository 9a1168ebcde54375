"""Texts as users type them, with the labels that count as right, and texts that mean no action of the dictionary.

Written without looking at what the matcher makes of them. `DEVELOPMENT` is what its thresholds were chosen on,
`UNSEEN` is what it is scored on. What means an action by now, of what meant none in version 1, has its label behind it.
"""

_MEANT = """
a man walking down the street | walk
walking | walk
she strolls through the garden | walk, walk slowly
person walks at normal pace | walk
walks really slowly | walk slowly
slow walking | walk slowly
an old lady shuffling along slowly | walk slowly, walk like an old person
hurried walk | walk briskly
power walking | walk briskly
walking fast to catch the bus | walk briskly
strolling up the stairs | walk upstairs
climbing stairs | walk upstairs
he goes up a flight of stairs | walk upstairs
walking up steps | walk upstairs
coming down the stairs | walk downstairs
woman descends a staircase | walk downstairs
stepping down the steps | walk downstairs
running | run
a guy sprinting | run
he runs as fast as he can | run
jogging | jog
a person jogs in the park | jog
light jogging | jog
jogging in a circle to the left | jog in a circle to the left
sit | sit
sitting on a sofa | sit
someone is seated at a desk | sit
sits down | sit down
sitting down on a couch | sit down
the woman takes a seat | sit down
gets up from the chair | stand up
standing up | stand up
rising from a bench | stand up
standing | stand still
a person stands still waiting | stand still
idle standing | stand still
waving | wave
waving hello to a friend | wave
he waves goodbye | wave
clapping hands | clap
audience member applauding | clap
drinking water | drink
takes a drink from a cup | drink
drinks from a bottle | drink
person talking and gesturing | talk with gestures
having a chat with hand gestures | talk with gestures
giving a speech | talk with gestures
pushing a car | push something heavy
pushes a heavy box | push something heavy
pulling a sledge | pull something heavy
dragging a sack | pull something heavy
crouching | crouch
crouched behind a wall | crouch
kneeling | kneel
kneels on one knee | kneel
squats | squat
doing deep squats at the gym | squat
lunges | lunge
walking lunges | lunge
pushups | push-up
doing push-ups on the floor | push-up
jumping jacks | jumping jack
star jumps | jumping jack
picks up a box with both hands | pick something up with both hands
picking up a heavy crate off the floor | pick something up with both hands
lifting a package from the ground | pick something up with both hands
kicking with the right leg | kick forward with right leg
kick with left foot | kick forward with left leg
right front kick | kick forward with right leg
sideways kick with left leg | side kick with left leg
kicking a soccer ball | kick a ball
kicks the football | kick a ball
throws a basketball | throw a basketball
throwing a ball | throw a basketball, throw
shooting hoops | shoot a basketball
dribbling | dribble a basketball
dribbling a basketball | dribble a basketball
dribbling the ball forward | dribble a basketball
jump shot | shoot a basketball
boxing | box
throwing punches | box
punching with the left hand | punch with left hand
right hand punch | punch with right hand
sword fight | fight with a sword
swinging a sword | fight with a sword
jumping | jump in place, jump high, jump forward, jump up and down
jumping forward | jump forward
jumps high in the air | jump high
jumping up and down | jump up and down
hopping on the left foot | hop on left leg
hops on right leg | hop on right leg
crawling | crawl
crawling on all fours | crawl
lying on the floor | lie still
person lies down on the ground | lie down
lying down | lie down, lie still
getting up off the floor | get up from the back, get up from the belly
back flip | backflip
doing a cartwheel | cartwheel
somersault forward on the floor | forward roll
dancing | dance
girl dances to music | dance
ballet pirouette and jete | ballet turn
zombie | walk like a zombie
walking like a zombie with arms out | walk like a zombie
sneaking | sneak
sneaking around the house at night | sneak
tiptoeing forward quietly | sneak, tiptoe
walking on rocky terrain | walk on uneven ground
walking in circles | walk in circles
walks and turns left | walk and turn left
turn right while walking | walk and turn right
cleaning a window | wash a window
wiping the window | wash a window
taking a shower | wash oneself
laughing | laugh
laughing out loud | laugh
directing traffic | direct traffic
basketball referee making signals | give referee signals
reaching up for something on a shelf with the right hand | grab something high up with right hand
grabbing something from above with the left hand | grab something high up with left hand
putting a bag down on the floor with the right hand | put something down with right hand
arm circles backward | rotate the arms
rotating arms | rotate the arms
climbing on a jungle gym | climb on playground equipment
climbs a playground frame | climb on playground equipment
balancing | keep balance
elbow to knee exercise, left elbow first | bring elbow to knee, left elbow first
posing for a photo | hold a pose
wlak | walk
walkng upstairs | walk upstairs
jogg | jog
clappng | clap
"""

_UNRELATED = """
a red sports car
the stock market crashed
photosynthesis in plants
chocolate cake recipe
quantum mechanics
the capital of France
my favourite colour is blue
a sleeping cat
rainy weather tomorrow
install the printer driver
invoice number 4711
mountain landscape at sunset
she thinks about her childhood
a bottle of wine
population statistics
how to learn Spanish
garbage
asdf qwer
lorem ipsum dolor
test
untitled
clip 3
camera moves left
scene one
playing the violin
typing on a keyboard | type on a keyboard
riding a bicycle
swimming in a pool
driving a car
cooking dinner | stir a pot
reading a newspaper
brushing teeth | brush the teeth
painting a picture
playing chess
knitting a sweater
driving a tractor
skiing downhill
surfing a wave
rowing a boat
horse riding
ironing shirts
peeling potatoes
shaving
singing a song
playing the piano
combing hair | comb the hair
taking photographs with a camera | take a photo
sewing a dress
mowing the lawn
playing tennis
golf swing
ice skating
archery
yoga tree pose
smoking a cigarette | smoke
texting on a phone | text on a phone
vacuum cleaning
milking a cow
chopping wood
sawing a plank
hammering a nail | hammer
fishing at the river
kissing
hugging a friend
shaking hands | shake hands
falling off a cliff
vomiting
sneezing
yawning
scratching the head | scratch the head
tying shoelaces
putting on a jacket
opening a door | open a door
writing a letter
eating soup | eat
feeding the birds
the dog barks
tax declaration
democracy
hello
nothing
unknown
none
person
a man
two people in a room
happy
tired
beautiful
"""


def _labels(text: str) -> frozenset[str]:
    one_with_comma = text.startswith("bring elbow")
    return frozenset([text] if one_with_comma else text.split(", "))


def _half(number: int) -> tuple[list[tuple[str, frozenset[str]]], list[str]]:
    """Every second line: texts with their labels, and texts without."""
    lines = [*_MEANT.strip().splitlines()[number::2], *_UNRELATED.strip().splitlines()[number::2]]
    parts = [line.split(" | ") for line in lines]
    return [(part[0], _labels(part[1])) for part in parts if part[1:]], [part[0] for part in parts if not part[1:]]


DEVELOPMENT, UNSEEN = _half(0), _half(1)
